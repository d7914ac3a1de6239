"""The model as it was, for methods that keep near to it."""

import copy
from typing import Any

from martlet_runtime.train.task import Task


def copied(task: Task) -> Any:
    """A copy where the whole model learns; None with an adapter, which is switched off instead."""
    return copy.deepcopy(task.model) if task.learns_whole else None


def on_disk(task: Task) -> None:
    """TRL's GRPO and RLOO read the reference from the model's own path, which is not what learns
    once an adapter was merged into it. Without beta there is none."""
    if not task.learns_whole or task.hyperparameters.beta == 0:
        return
    folder = task.scratch / "reference"
    task.model.save_pretrained(folder)
    task.model.config._name_or_path = str(folder)
