"""BOFT: turns weights by orthogonal butterfly blocks, by PEFT."""

from peft import BOFTConfig

from martlet_api.training import Tuner
from martlet_runtime.train.tuners import modules
from martlet_runtime.train.tuners.base import Target, TunerMethod
from martlet_runtime.train.tuners.lora import dropout

_BLOCK_SIZE = 4


def config(tuner: Tuner, target: Target) -> BOFTConfig:
    size = tuner.boft_block_size or _BLOCK_SIZE
    modules.check_blocks(size, tuner, target)
    return BOFTConfig(
        boft_block_size=size,
        boft_dropout=dropout(tuner),
        **modules.where(tuner, target),
    )


TUNER = TunerMethod(config)
