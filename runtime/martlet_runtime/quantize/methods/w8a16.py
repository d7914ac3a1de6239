"""W8A16: int8 weights by channel, rounded; activations as they are. Needs no calibration."""

from llmcompressor.modifiers.quantization import QuantizationModifier

from martlet_api.quantizedmodel import Rung


def modifier(rung: Rung) -> QuantizationModifier:
    return QuantizationModifier(targets="Linear", scheme="W8A16", ignore=["lm_head"])
