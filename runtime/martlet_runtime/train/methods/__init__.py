"""What is learnt: one module a method, in the table ``METHODS``."""

from collections.abc import Callable
from typing import Any

from martlet_runtime.train.methods import sft
from martlet_runtime.train.task import Task

METHODS: dict[str, Callable[[Task], Any]] = {"SFT": sft.trainer}
"""A function makes the trainer (one of TRL's) for a task."""
