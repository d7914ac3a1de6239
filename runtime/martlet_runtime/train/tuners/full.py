"""Full: every weight learns."""

from pathlib import Path
from typing import Any

from martlet_api.finetunejob import Tuner
from martlet_runtime.train.tuners.base import TunerMethod


def config(tuner: Tuner, model: Any) -> None:
    """PEFT has no part in it."""


def save(model: Any, tokenizer: Any, folder: Path, base_uri: str) -> None:
    """A whole model, with its tokenizer."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


TUNER = TunerMethod("safetensors", 1e-5, config, save)
