"""W8A16: int8 weights by channel, rounded; activations as they are. Needs no calibration."""

from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from llmcompressor.modifiers.quantization import QuantizationModifier

from martlet_api.quantizedmodel import Rung


def modifiers(rung: Rung) -> list[QuantizationModifier]:
    # The preset of this name has groups of 128, which not every layer can be divided into.
    weights = QuantizationArgs(num_bits=8, type="int", symmetric=True, strategy="channel")
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    return [QuantizationModifier(config_groups={"group_0": scheme}, ignore=["lm_head"])]
