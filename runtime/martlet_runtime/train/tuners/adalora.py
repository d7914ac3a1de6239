"""AdaLoRA: begins with half again the rank, and prunes to it where it matters least, by PEFT."""

from typing import Any

from peft import AdaLoraConfig
from transformers import TrainerCallback

from martlet_api.training import Tuner
from martlet_runtime.train.tuners import modules
from martlet_runtime.train.tuners.base import Target, TunerMethod
from martlet_runtime.train.tuners.lora import ALPHA, RANK, dropout

_UNKNOWN_YET = 1


def config(tuner: Tuner, target: Target) -> AdaLoraConfig:
    """The steps are told once the trainer has counted them."""
    rank = tuner.rank or RANK
    modules.check_rank(rank, tuner, target)
    return AdaLoraConfig(
        target_r=rank,
        init_r=rank * 3 // 2,
        lora_alpha=tuner.alpha or ALPHA,
        lora_dropout=dropout(tuner),
        total_step=_UNKNOWN_YET,
        **modules.where(tuner, target),
    )


class Allocator(TrainerCallback):  # type: ignore[misc]
    """PEFT wants to be asked after each step, while the gradients are there."""

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        model.base_model.rankallocator.set_total_step(state.max_steps)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        model.base_model.update_and_allocate(state.global_step + 1)


TUNER = TunerMethod(config, callbacks=lambda: [Allocator()])
