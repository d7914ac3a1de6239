"""What a method says of itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from peft import TaskType

from martlet_runtime.loading import load_model
from martlet_runtime.train.task import Task

Row = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """``render`` makes what the trainer takes of a row in its shape (tokenizer, row, tokens at
    most); ``trainer`` is one of TRL's for a task. ``load`` reads the model. ``chats`` says whether
    rows are rendered by a chat template. ``head`` is a module that is new and learns besides."""

    render: Callable[[Any, Row, int], Iterable[Row]]
    trainer: Callable[[Task], Any]
    load: Callable[..., Any] = load_model
    task_type: TaskType = TaskType.CAUSAL_LM
    chats: bool = True
    head: str | None = None
