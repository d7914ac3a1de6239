"""How weights are compressed: one module a method, in the table ``METHODS``."""

from collections.abc import Callable
from typing import Any

from martlet_api.quantizedmodel import Rung
from martlet_runtime.quantize.methods import gptq, w8a8, w8a16

METHODS: dict[str, Callable[[Rung], Any]] = {
    "W8A8": w8a8.modifier,
    "W8A16": w8a16.modifier,
    "GPTQ": gptq.modifier,
}
"""A function makes llm-compressor's modifier for a rung."""
