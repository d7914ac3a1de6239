"""What a tuner says of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from martlet_api.finetunejob import Tuner


@dataclass(frozen=True)
class TunerMethod:
    """``config`` is what TRL's trainers take as ``peft_config`` for a model, None for whole
    models.

    ``save`` writes what was trained into a folder; ``artifact`` is its format.
    """

    artifact: str
    learning_rate: float
    config: Callable[[Tuner, Any], Any]
    save: Callable[[Any, Any, Path, str], None]
    """(model, tokenizer, folder, URI of the base)"""
