"""The course of a training step: what is there in its parts, and how often the model runs."""

from dataclasses import dataclass
from typing import Any

from martlet_runtime.estimate.layers import layers_of
from martlet_runtime.estimate.live import Live
from martlet_runtime.estimate.memory import Memory

_ENDS, _LAYERS = "ends", "layers"


@dataclass(frozen=True)
class Step:
    """Activations, in bytes, at the peaks of a step's two parts: until the gradients reach the last
    layer, and from there on. ``runs`` of the model before gradients come: a reference is one."""

    ends: int
    layers: int
    runs: int = 1


class Watch:
    """Tells ``live`` of each part of the steps that a model takes from now on."""

    def __init__(self, model: Any, live: Live) -> None:
        self._live = live
        self._runs, self._most = 0, 1
        model.register_forward_pre_hook(self._begins)
        layers_of(model)[-1].register_forward_hook(self._is_through)

    def step(self, found: Memory) -> Step:
        """Of the steps so far, whose peak was ``found``."""
        ends, layers = (self._there(found, part) for part in (_ENDS, _LAYERS))
        return Step(ends, layers, self._most)

    def _there(self, found: Memory, part: str) -> int:
        below = self._live.peak - self._live.peaks.get(part, 0)
        return max(0, found.activations - below)

    def _begins(self, *_: Any) -> None:
        self._runs += 1
        self._live.enter(_ENDS)

    def _is_through(self, _: Any, given: Any, out: Any) -> None:
        hidden = out[0] if isinstance(out, tuple) else out
        if hidden.requires_grad:
            hidden.register_hook(self._goes_back)

    def _goes_back(self, _: Any) -> None:
        self._most, self._runs = max(self._most, self._runs), 0
        self._live.enter(_LAYERS)
