"""All that a method needs to make its trainer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel

from martlet_api.finetunejob import CheckpointSettings
from martlet_api.training import Hyperparameters, Reward, Strategy
from martlet_runtime.train import packed_attention, strategies

_ADAM_BETA2 = 0.95
_LOGGING_STEPS = 5
_GALORE = {"optim": "galore_adamw", "optim_target_modules": [r".*attn.*", r".*mlp.*"]}
"""The layers that GaLore's authors project; transformers' form of them."""


@dataclass(frozen=True)
class Task:
    """``peft_config`` is None where the whole model learns. ``rows`` and ``validation`` have the
    columns that the method's ``render`` made. ``teacher`` is GKD's. ``output`` is where the
    trainer writes checkpoints, ``scratch`` a folder of the pod's own."""

    model: Any
    tokenizer: Any
    rows: Dataset
    validation: Dataset | None
    peft_config: Any
    learning_rate: float
    hyperparameters: Hyperparameters
    checkpoint: CheckpointSettings
    dtype: torch.dtype
    output: Path
    scratch: Path
    callbacks: tuple[Any, ...]
    processes: int = 1
    strategy: Strategy = "DDP"
    rewards: tuple[Reward, ...] = ()
    teacher: Any = None

    @property
    def learns_whole(self) -> bool:
        """No adapter is laid over the model, nor lies over it already."""
        return self.peft_config is None and not isinstance(self.model, PeftModel)

    @property
    def padding_free(self) -> bool:
        """Rows behind one another, where the model's layers can keep them apart."""
        wanted = self.hyperparameters.packing
        return wanted == "Enabled" or (wanted == "Auto" and packed_attention.can_pack(self.model))

    @property
    def gradient_checkpointing(self) -> bool:
        wanted = self.hyperparameters.gradient_checkpointing
        return torch.cuda.is_available() if wanted == "Auto" else wanted == "Enabled"

    def given(self) -> dict[str, Any]:
        """What every trainer is made with, its configuration aside."""
        return {
            "model": self.model,
            "train_dataset": self.rows,
            "eval_dataset": self.validation,
            "processing_class": self.tokenizer,
            "peft_config": self.peft_config,
            "callbacks": list(self.callbacks),
        }

    def setting(self, value: float | None, default: float) -> float:
        return default if value is None else value

    def arguments(self, *, least_rows: int = 1) -> dict[str, Any]:
        """transformers' TrainingArguments that all methods share, with ms-swift's defaults.
        ``least_rows`` is of a forward pass, where the spec leaves it to us."""
        params = self.hyperparameters
        rows = params.micro_batch_size or least_rows
        on_cpu = not torch.cuda.is_available()
        return {
            "output_dir": str(self.output),
            "num_train_epochs": params.epochs,
            "max_steps": params.max_steps or -1,
            "learning_rate": self.learning_rate,
            "per_device_train_batch_size": rows,
            "per_device_eval_batch_size": rows,
            "gradient_accumulation_steps": params.global_batch_size // (rows * self.processes),
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
            **(_GALORE if params.optimizer == "GaLore" else {}),
            **(strategies.arguments(self.strategy, self.dtype) if self.processes > 1 else {}),
        }
