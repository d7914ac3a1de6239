"""All that a method needs to make its trainer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from martlet_api.finetunejob import CheckpointSettings, Hyperparameters

_ADAM_BETA2 = 0.95
_LOGGING_STEPS = 5


@dataclass(frozen=True)
class Task:
    """``peft_config`` is None where the whole model learns. Rows are ``{"messages": [...]}``.
    ``output`` is where the trainer writes checkpoints."""

    model: Any
    tokenizer: Any
    rows: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    peft_config: Any
    learning_rate: float
    hyperparameters: Hyperparameters
    checkpoint: CheckpointSettings
    dtype: torch.dtype
    output: Path
    callbacks: tuple[Any, ...]

    @property
    def padding_free(self) -> bool:
        """Rows behind one another: attention keeps to each by its positions."""
        return self.hyperparameters.packing != "Disabled"

    @property
    def gradient_checkpointing(self) -> bool:
        wanted = self.hyperparameters.gradient_checkpointing
        return torch.cuda.is_available() if wanted == "Auto" else wanted == "Enabled"

    def arguments(self) -> dict[str, Any]:
        """transformers' TrainingArguments that all methods share, with ms-swift's defaults."""
        params = self.hyperparameters
        on_cpu = not torch.cuda.is_available()
        return {
            "output_dir": str(self.output),
            "num_train_epochs": params.epochs,
            "max_steps": params.max_steps or -1,
            "learning_rate": self.learning_rate,
            "per_device_train_batch_size": params.micro_batch_size,
            "per_device_eval_batch_size": params.micro_batch_size,
            "gradient_accumulation_steps": params.global_batch_size // params.micro_batch_size,
            "gradient_checkpointing": self.gradient_checkpointing,
            "weight_decay": params.weight_decay,
            "warmup_steps": params.warmup_ratio,
            "lr_scheduler_type": "cosine",
            "adam_beta2": _ADAM_BETA2,
            "max_grad_norm": params.max_grad_norm,
            "logging_steps": _LOGGING_STEPS,
            "logging_nan_inf_filter": False,
            "seed": params.seed,
            "bf16": self.dtype == torch.bfloat16,
            "use_cpu": on_cpu,
            "dataloader_pin_memory": not on_cpu,
            "save_strategy": "steps",
            "save_steps": self.checkpoint.every_steps,
            "eval_strategy": "epoch" if self.validation else "no",
            "report_to": "none",
            "disable_tqdm": True,
        }
