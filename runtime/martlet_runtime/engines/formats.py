"""Which formats of weights an engine can serve on which processor.

vLLM's own code at the versions of our images. Where it has no kernel, /health may answer 200 and
the first request kill the engine, so the question is asked before.

On a CPU (0.32): the kernel for packed 4-bit weights is compiled for AVX-512 alone and takes no
8-bit ones (kernels/linear/mixed_precision/cpu.py); int8 by oneDNN is in both builds
(scaled_mm/cpu.py); FP8 has torch's own kernel as a last resort, slow but anywhere
(scaled_mm/pytorch.py).

On an accelerator (0.33): ``get_min_capability`` of the schemes of compressed-tensors. FP8 below 8.9
is served with its weights alone in FP8, by Marlin, from 7.5.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.quantizedmodel import Rung
from martlet_runtime.errors import UserError

CPU_FLAGS = Path("/proc/cpuinfo")
CPU_VERSION = "0.32.0"
ACCELERATOR_VERSION = "0.33.0"


@dataclass(frozen=True)
class Format:
    """How a model's weights are stored.

    ``cpu_flags``: one of these must be there on a CPU; empty if any will do; None where no CPU
    serves it. ``capability``: the least compute capability, as 75 for 7.5.
    """

    name: str
    cpu_flags: frozenset[str] | None
    capability: int


@dataclass(frozen=True)
class Processor:
    """What an engine would run on: a CPU with ``cpu_flags``; an accelerator where that is None.
    ``capability`` is None where the accelerator is not known."""

    cpu_flags: frozenset[str] | None
    capability: int | None = None


_ANY: frozenset[str] = frozenset()
PLAIN = Format("unquantized weights", _ANY, 0)
INT4 = Format("packed 4-bit weights", frozenset({"avx512f"}), 75)
INT8 = Format("packed 8-bit weights", None, 75)
W8A8 = Format("W8A8", frozenset({"avx2", "avx512f"}), 75)
FP8 = Format("FP8", _ANY, 75)
FORMATS = (PLAIN, INT4, INT8, W8A8, FP8)

_BITS = 8
_OF_METHOD = {"W8A8": W8A8, "W8A16": INT8, "FP8": FP8}


def of_rung(rung: Rung) -> Format:
    """The format that a rung writes."""
    return _OF_METHOD.get(rung.method, INT8 if rung.bits == _BITS else INT4)


def format_of(config: dict[str, Any]) -> Format:
    """The format that a model's config.json declares, in compressed-tensors' words or in those of
    GPTQ, AWQ and AutoRound (``bits``) and of FP8 (``quant_method``)."""
    quantization = config.get("quantization_config")
    if not quantization:
        return PLAIN
    for group in quantization.get("config_groups", {}).values():
        return _of_group(group)
    if quantization.get("quant_method") == "fp8":
        return FP8
    return INT8 if quantization.get("bits") == _BITS else INT4


def _of_group(group: dict[str, Any]) -> Format:
    weights = group.get("weights") or {}
    if weights.get("type") == "float":
        return FP8
    if group.get("input_activations"):
        return W8A8
    return INT8 if weights.get("num_bits") == _BITS else INT4


def cpu_flags(path: Path = CPU_FLAGS) -> frozenset[str]:
    """The features of this machine's processor, as Linux names them."""
    for line in path.read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def processor(*, on_accelerator: bool, capability: int | None = None) -> Processor:
    """The one that this pod's engine runs on."""
    return Processor(None, capability) if on_accelerator else Processor(cpu_flags())


def problem(kind: Format, where: Processor) -> str | None:
    """Why vLLM cannot serve the format there; None where it can."""
    if where.cpu_flags is None:
        return _accelerator_problem(kind, where.capability)
    engine = f"vLLM {CPU_VERSION}"
    if kind.cpu_flags is None:
        return f"{engine} serves {kind.name} on no CPU"
    if not kind.cpu_flags or kind.cpu_flags & where.cpu_flags:
        return None
    needed = " or ".join(sorted(kind.cpu_flags))
    return f"{engine} serves {kind.name} on a CPU only with {needed}, which this node's CPU has not"


def _accelerator_problem(kind: Format, capability: int | None) -> str | None:
    if capability is None or capability >= kind.capability:
        return None
    return (
        f"vLLM {ACCELERATOR_VERSION} serves {kind.name} from compute capability "
        f"{kind.capability / 10}, and this node's accelerator has {capability / 10}"
    )


def check(config: dict[str, Any], *, on_accelerator: bool) -> None:
    """FormatNotSupported if the engine could not serve the model on this node."""
    if text := problem(format_of(config), processor(on_accelerator=on_accelerator)):
        raise UserError(
            Reason.FORMAT_NOT_SUPPORTED,
            f"{text}. Quantize to W8A8, or choose other nodes by spec.pod.nodeSelector.",
        )
