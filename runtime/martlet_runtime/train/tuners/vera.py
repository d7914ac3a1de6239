"""VeRA: random matrices that all layers share, of which only scales learn, by PEFT."""

from peft import VeraConfig

from martlet_api.training import Tuner
from martlet_runtime.train.tuners import modules
from martlet_runtime.train.tuners.base import Target, TunerMethod
from martlet_runtime.train.tuners.lora import DROPOUT

_RANK = 256


def config(tuner: Tuner, target: Target) -> VeraConfig:
    return VeraConfig(
        task_type=target.task_type,
        r=tuner.rank or _RANK,
        vera_dropout=DROPOUT if tuner.dropout is None else tuner.dropout,
        target_modules=modules.wanted(tuner, target),
        modules_to_save=target.whole_modules,
    )


TUNER = TunerMethod(config)
