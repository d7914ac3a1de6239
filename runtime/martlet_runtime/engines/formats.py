"""Which compressed formats an engine can serve on which processor.

From vLLM 0.32's CPU backend: its int8 kernels (W8A8) exist for AVX2 and AVX-512, its kernels for
packed weights (4 and 8 bits, W4A16 and W8A16) only for AVX-512. Elsewhere /health answers 200 and
the first request kills the engine, so the question must be asked before.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

CPU_FLAGS = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Format:
    """How a model's weights are stored; ``name`` as in spec.ladder where it is one of ours."""

    name: str
    needs_any: frozenset[str]
    """CPU flags of which one must be there; empty if any processor will do."""


PLAIN = Format("unquantized", frozenset())
W8A8 = Format("W8A8", frozenset({"avx2", "avx512f"}))
PACKED = Format("packed weights", frozenset({"avx512f"}))
BY_METHOD = {"W8A8": W8A8, "W8A16": PACKED, "GPTQ": PACKED}


def format_of(config: dict[str, Any]) -> Format:
    """The format that a model's config.json declares."""
    quantization = config.get("quantization_config")
    if not quantization:
        return PLAIN
    groups = quantization.get("config_groups", {}).values()
    if any(group.get("input_activations") for group in groups):
        return W8A8
    return PACKED


def cpu_flags(path: Path = CPU_FLAGS) -> frozenset[str]:
    """The features of this machine's processor, as Linux names them."""
    for line in path.read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def problem(kind: Format, flags: frozenset[str]) -> str | None:
    """Why vLLM on a CPU with these flags cannot serve the format; None where it can."""
    if not kind.needs_any or kind.needs_any & flags:
        return None
    needed = " or ".join(sorted(kind.needs_any))
    return f"vLLM serves {kind.name} on a CPU only with {needed}, which this node's CPU has not"


def check(config: dict[str, Any], *, on_accelerator: bool) -> None:
    """FormatNotSupported if the engine could not serve the model on this node."""
    if on_accelerator:
        return
    if text := problem(format_of(config), cpu_flags()):
        raise UserError(
            Reason.FORMAT_NOT_SUPPORTED,
            f"{text}. Quantize to W8A8, or choose other nodes by spec.pod.nodeSelector.",
        )
