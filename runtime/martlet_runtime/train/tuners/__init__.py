"""Which weights learn: one module a tuner, in the table ``TUNERS``."""

from martlet_runtime.train.tuners import full, lora
from martlet_runtime.train.tuners.base import TunerMethod

TUNERS: dict[str, TunerMethod] = {"LoRA": lora.TUNER, "Full": full.TUNER}
