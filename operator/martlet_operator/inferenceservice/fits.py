"""Whether a model's weights can be on the accelerators of one pod at all. Pure.

Only what can never work is refused: how much an engine takes beside the weights is its own affair.
"""

from kubernetes.utils.quantity import parse_quantity

from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.inputs.models import KnownModel

_GIB = 1 << 30
_OFFLOADS = ("--cpu-offload-gb",)
"""Engine arguments by which weights may be elsewhere than on an accelerator."""


def too_large(model: KnownModel, engine: Engine, pod: PodSettings, told: int | None) -> str | None:
    """Why it cannot be loaded; None where it can, or where that is not known. ``told`` is the
    memory of one accelerator in bytes, as the nodes have it."""
    named = pod.accelerator_memory
    each = int(parse_quantity(named)) if named else told
    is_offloaded = any(word.partition("=")[0] in _OFFLOADS for word in engine.args or [])
    if not pod.accelerator or each is None or model.bytes is None or is_offloaded:
        return None
    count = pod.accelerators_per_pod or 1
    if model.bytes <= count * each:
        return None
    return (
        f"The model's files have {_gib(model.bytes)}, and a pod has {count} x {pod.accelerator} of "
        f"{_gib(each)}: the weights alone do not fit. Raise spec.pod.acceleratorsPerPod to "
        f"{-(-model.bytes // each)} or more, choose larger accelerators, or serve a QuantizedModel "
        "of it."
    )


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
