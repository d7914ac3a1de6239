"""Which of the formats that it has a name for LMDeploy 0.18 reads: its own assertions
(turbomind/converter.py, get_tm_config), asked before the engine would die of them."""

from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

VERSION = "0.18.0"
_GROUP = 128
"""Weights a scale, of AWQ and GPTQ."""
_PACKED_GROUPS = (32, 128)
"""The same, of compressed-tensors."""
_PACKED = " or ".join(map(str, _PACKED_GROUPS))


def problem(config: dict[str, Any]) -> str | None:
    """What of a model's config.json LMDeploy does not read; None where it reads it."""
    quantization = config.get("quantization_config") or {}
    method = quantization.get("quant_method")
    if method == "compressed-tensors" and not _is_packed(quantization):
        return f"compressed-tensors but 4-bit integers, packed in groups of {_PACKED}"
    if method in ("awq", "gptq") and quantization.get("group_size", _GROUP) != _GROUP:
        return f"{method} in groups of other than {_GROUP}"
    if method == "awq" and quantization.get("version") != "gemm":
        return "awq of another version than gemm"
    if method == "gptq" and (quantization.get("desc_act") or not quantization.get("sym", True)):
        return "gptq with desc_act, or without sym"
    return None


def _is_packed(quantization: dict[str, Any]) -> bool:
    group = quantization.get("config_groups", {}).get("group_0", {})
    weights = group.get("weights") or {}
    return (
        group.get("format") == "pack-quantized"
        and (weights.get("num_bits"), weights.get("type")) == (4, "int")
        and weights.get("group_size") in _PACKED_GROUPS
    )


def check(config: dict[str, Any]) -> None:
    """FormatNotSupported if LMDeploy would not read the model."""
    if text := problem(config):
        raise UserError(
            Reason.FORMAT_NOT_SUPPORTED,
            f"LMDeploy {VERSION} does not read {text}. Use vLLM, or another format of the model.",
        )
