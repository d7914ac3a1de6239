"""AWQ: channels that the activations lean on are scaled up before rounding (arXiv 2306.00978)."""

from typing import Any

from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier
from llmcompressor.pipelines.cache import IntermediatesCache

from martlet_api.quantizedmodel import Rung
from martlet_runtime.quantize import device
from martlet_runtime.quantize.methods import groups


def modifiers(rung: Rung) -> list[Any]:
    """AWQ scales; the modifier after it rounds."""
    scaling = AWQModifier if device.is_accelerated() else _WithoutAccelerator
    return [
        scaling(),
        QuantizationModifier(config_groups=groups.scheme(rung), ignore=["lm_head"]),
    ]


class _Unpinned(IntermediatesCache):  # type: ignore[misc]
    """Nothing is copied to an accelerator, so nothing need be pinned for it."""

    def pin_memory(self, batch_index: int, input_names: list[str] | None = None) -> None:
        return


class _WithoutAccelerator(AWQModifier):  # type: ignore[misc]
    """llm-compressor 0.14 pins the layers' inputs before its search (awq/base.py,
    ``_apply_smoothing``) whatever the device, and torch has no pinned memory without an
    accelerator. No option turns that off; the rest of the method runs anywhere."""

    def _setup_activation_cache_hooks(self) -> None:
        super()._setup_activation_cache_hooks()
        for parent in self._parent_args_cache:
            self._parent_args_cache[parent] = _Unpinned(None, self.offload_device)
