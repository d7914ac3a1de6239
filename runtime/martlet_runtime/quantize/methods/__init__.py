"""How weights are compressed: one module a method, in the table ``METHODS``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from martlet_api.quantizedmodel import Rung
from martlet_runtime.quantize.methods import autoround, awq, fp8, gptq, w8a8, w8a16


@dataclass(frozen=True)
class Method:
    """``modifiers`` makes llm-compressor's recipe for a rung. ``dtype`` is what the weights must be
    loaded in for it, None where any will do."""

    modifiers: Callable[[Rung], list[Any]]
    dtype: torch.dtype | None = None


METHODS: dict[str, Method] = {
    "AWQ": Method(awq.modifiers),
    "AutoRound": Method(autoround.modifiers, autoround.DTYPE),
    "FP8": Method(fp8.modifiers),
    "GPTQ": Method(gptq.modifiers),
    "W8A16": Method(w8a16.modifiers),
    "W8A8": Method(w8a8.modifiers),
}
