"""Full: every weight learns."""

from martlet_api.training import Tuner
from martlet_runtime.train.tuners.base import Target, TunerMethod


def config(tuner: Tuner, target: Target) -> None:
    """PEFT has no part in it."""


TUNER = TunerMethod(config, learning_rate=1e-5)
