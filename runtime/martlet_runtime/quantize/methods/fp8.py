"""FP8 (E4M3): weights by channel, rounded; activations by token, as they come. No calibration."""

from llmcompressor.modifiers.quantization import QuantizationModifier

from martlet_api.quantizedmodel import Rung


def modifiers(rung: Rung) -> list[QuantizationModifier]:
    return [QuantizationModifier(targets="Linear", scheme="FP8_DYNAMIC", ignore=["lm_head"])]
