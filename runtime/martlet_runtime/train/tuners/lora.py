"""LoRA: low-rank adapters, by PEFT. Defaults are ms-swift's."""

from pathlib import Path
from typing import Any

from peft import LoraConfig, TaskType

from martlet_api.finetunejob import Tuner
from martlet_runtime.train.tuners.base import TunerMethod

ALL_LINEAR = "all-linear"


def config(tuner: Tuner) -> LoraConfig:
    modules = tuner.target_modules or [ALL_LINEAR]
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=tuner.rank or 8,
        lora_alpha=tuner.alpha or 32,
        lora_dropout=0.05 if tuner.dropout is None else tuner.dropout,
        target_modules=ALL_LINEAR if modules == [ALL_LINEAR] else modules,
    )


def save(model: Any, tokenizer: Any, folder: Path, base_uri: str) -> None:
    """The adapter names its base by URI: the path in this pod means nothing elsewhere."""
    for adapter in model.peft_config.values():
        adapter.base_model_name_or_path = base_uri
    model.save_pretrained(folder, safe_serialization=True)


TUNER = TunerMethod("peft-adapter", 1e-4, config, save)
