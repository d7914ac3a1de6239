"""What a tuner says of itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from martlet_api.contract import TrainPlan
from martlet_api.training import Tuner

LEARNING_RATE = 1e-4
"""ms-swift's, for adapters."""


@dataclass(frozen=True)
class Target:
    """What an adapter is laid over: the ``model``, ``task_type`` as PEFT names it, and the
    ``head`` that learns besides, if there is one."""

    model: Any
    task_type: str
    head: str | None = None

    @property
    def whole_modules(self) -> list[str] | None:
        """PEFT's ``modules_to_save``."""
        return [self.head] if self.head else None


@dataclass(frozen=True)
class TunerMethod:
    """``config`` is what TRL's trainers take as ``peft_config``, None for whole models.

    quantization: how transformers shall load the weights in fewer bits, for a number format.
    callbacks: what must happen at steps.
    prepare: what is done once the trainer stands and before it trains (trainer, plan, a folder of
    the pod's own).
    save: writes the adapter into a folder (model, folder, the same folder of the pod's own, its
    weights where the model has only a part of them).
    """

    config: Callable[[Tuner, Target], Any]
    learning_rate: float = LEARNING_RATE
    quantization: Callable[[torch.dtype], Any] = lambda _: None
    callbacks: Callable[[], list[Any]] = list
    prepare: Callable[[Any, TrainPlan, Path], None] = lambda *_: None
    save: Callable[[Any, Path, Path, dict[str, Any] | None], None] = field(
        default=lambda model, folder, _, state: model.save_pretrained(folder, state_dict=state)
    )
