"""LoRA: low-rank adapters, by PEFT; with DoRA, rsLoRA, LoRA+ and PiSSA. Defaults are ms-swift's."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from peft.optimizers import create_loraplus_optimizer

from martlet_api.contract import TrainPlan
from martlet_api.training import Tuner
from martlet_runtime.train.tuners import modules
from martlet_runtime.train.tuners.base import Target, TunerMethod

RANK, ALPHA, _DROPOUT = 8, 32.0, 0.05
_INITIAL = "initial-adapter"


def dropout(tuner: Tuner) -> float:
    """ms-swift's where left out; 0 is a choice."""
    return _DROPOUT if tuner.dropout is None else tuner.dropout


def config(tuner: Tuner, target: Target) -> LoraConfig:
    rank = tuner.rank or RANK
    modules.check_rank(rank, tuner, target)
    return LoraConfig(
        r=rank,
        lora_alpha=tuner.alpha or ALPHA,
        lora_dropout=dropout(tuner),
        use_rslora=bool(tuner.use_rslora),
        use_dora=bool(tuner.use_dora),
        init_lora_weights="pissa" if tuner.init_lora_weights == "PiSSA" else True,
        **modules.where(tuner, target),
    )


def prepare(trainer: Any, plan: TrainPlan, scratch: Path) -> None:
    if plan.tuner.init_lora_weights == "PiSSA":
        _keep_initial(trainer.model, scratch / _INITIAL)
    if plan.tuner.loraplus_lr_ratio:
        trainer.optimizer = _loraplus(trainer, plan.tuner.loraplus_lr_ratio)


def save(model: Any, folder: Path, scratch: Path, state: dict[str, Any] | None) -> None:
    """PiSSA takes the principal part out of the base's weights. What is kept is the difference to
    the beginning, as a LoRA of twice the rank over the base as it is: PEFT's conversion."""
    initial = scratch / _INITIAL
    if initial.exists():
        model.save_pretrained(folder, path_initial_model_for_weight_conversion=str(initial))
    else:
        model.save_pretrained(folder, state_dict=state)


def _keep_initial(model: Any, folder: Path) -> None:
    """As PEFT's conversion wants it: not marked as PiSSA's, or it would be taken apart anew."""
    config = model.peft_config["default"]
    marked, config.init_lora_weights = config.init_lora_weights, True
    model.save_pretrained(folder)
    config.init_lora_weights = marked


def _loraplus(trainer: Any, ratio: float) -> Any:
    """LoRA+: B learns faster than A by ``ratio``."""
    args = trainer.args
    return create_loraplus_optimizer(
        trainer.model,
        torch.optim.AdamW,
        lr=args.learning_rate,
        loraplus_lr_ratio=ratio,
        weight_decay=args.weight_decay,
        betas=(args.adam_beta1, args.adam_beta2),
        eps=args.adam_epsilon,
    )


TUNER = TunerMethod(config, prepare=prepare, save=save)
