"""What a method says of itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import TaskType

from martlet_api.training import Hyperparameters
from martlet_runtime.data import Render
from martlet_runtime.loading import load_model, shape_of_model
from martlet_runtime.train.task import Task

Row = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """``longest`` is a rendered row of that many tokens, and ``shape`` the model without its
    numbers (folder, number format): memory is estimated on them. ``answered`` puts answers of the
    greatest length in the place of letting the model answer (trainer, settings).

    ``render`` makes what the trainer takes of a row in its shape (tokenizer, row, tokens at
    most); ``trainer`` is one of TRL's for a task. ``load`` reads the model. ``chats`` says whether
    rows are rendered by a chat template. ``head`` is a module that is new and learns besides."""

    render: Callable[[Any, Row, int], Iterable[Row]]
    trainer: Callable[[Task], Any]
    longest: Callable[[int], Row]
    answered: Callable[[Any, Hyperparameters], None] = lambda *_: None
    shape: Callable[[Path, torch.dtype], Any] = shape_of_model
    load: Callable[..., Any] = load_model
    task_type: TaskType = TaskType.CAUSAL_LM
    chats: bool = True
    head: str | None = None

    def renderer(self, tokenizer: Any, hyperparameters: Hyperparameters) -> Render:
        """``render`` by a tokenizer and a run's settings."""
        return partial(self.render, tokenizer, max_length=hyperparameters.max_length)
