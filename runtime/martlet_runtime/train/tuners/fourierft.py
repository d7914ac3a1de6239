"""FourierFT: learns a few coefficients of the change's spectrum, by PEFT."""

from peft import FourierFTConfig

from martlet_api.training import Tuner
from martlet_runtime.train.tuners import modules
from martlet_runtime.train.tuners.base import Target, TunerMethod

_FREQUENCIES, _SCALING = 2000, 300.0
"""ms-swift's defaults."""


def config(tuner: Tuner, target: Target) -> FourierFTConfig:
    return FourierFTConfig(
        n_frequency=tuner.n_frequency or _FREQUENCIES,
        scaling=_SCALING,
        **modules.where(tuner, target),
    )


TUNER = TunerMethod(config)
