"""Which weights learn: one module a tuner, in the table ``TUNERS``."""

from martlet_runtime.train.tuners import adalora, boft, fourierft, full, lora, qlora, vera
from martlet_runtime.train.tuners.base import Target, TunerMethod

TUNERS: dict[str, TunerMethod] = {
    "LoRA": lora.TUNER,
    "QLoRA": qlora.TUNER,
    "AdaLoRA": adalora.TUNER,
    "VeRA": vera.TUNER,
    "BOFT": boft.TUNER,
    "FourierFT": fourierft.TUNER,
    "Full": full.TUNER,
}

__all__ = ["TUNERS", "Target", "TunerMethod"]
