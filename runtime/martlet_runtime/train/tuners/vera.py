"""VeRA: random matrices that all layers share, of which only scales learn, by PEFT."""

from peft import VeraConfig

from martlet_api.training import Tuner
from martlet_runtime.train.tuners import modules
from martlet_runtime.train.tuners.base import Target, TunerMethod
from martlet_runtime.train.tuners.lora import dropout

_RANK = 256


def config(tuner: Tuner, target: Target) -> VeraConfig:
    return VeraConfig(
        r=tuner.rank or _RANK,
        vera_dropout=dropout(tuner),
        **modules.where(tuner, target),
    )


TUNER = TunerMethod(config)
