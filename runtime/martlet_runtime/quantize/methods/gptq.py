"""GPTQ: int4 weights in groups (W4A16), after Frantar et al., arXiv 2210.17323."""

from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from llmcompressor.modifiers.gptq import GPTQModifier

from martlet_api.quantizedmodel import Rung

_GROUP_SIZE = 128
_BITS = 4


def modifier(rung: Rung) -> GPTQModifier:
    weights = QuantizationArgs(
        num_bits=_BITS,
        type="int",
        symmetric=True,
        strategy="group",
        group_size=group_size(rung),
    )
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    return GPTQModifier(config_groups={"group_0": scheme}, ignore=["lm_head"])


def group_size(rung: Rung) -> int:
    return rung.group_size or _GROUP_SIZE
