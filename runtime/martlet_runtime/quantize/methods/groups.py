"""Integer weights in groups that share a scale (W4A16, W8A16), as three methods choose them."""

from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

from martlet_api.quantizedmodel import Rung

GROUPED = frozenset({"AWQ", "AutoRound", "GPTQ"})
"""The methods whose rungs have ``bits`` and ``groupSize``."""
_BITS = 4
_GROUP_SIZE = 128


def bits(rung: Rung) -> int:
    return rung.bits or _BITS


def group_size(rung: Rung) -> int:
    return rung.group_size or _GROUP_SIZE


def scheme(rung: Rung) -> dict[str, QuantizationScheme]:
    """The one group of a configuration: all linear layers, symmetric, a scale a group."""
    weights = QuantizationArgs(
        num_bits=bits(rung),
        type="int",
        symmetric=True,
        strategy="group",
        group_size=group_size(rung),
    )
    return {"group_0": QuantizationScheme(targets=["Linear"], weights=weights)}
