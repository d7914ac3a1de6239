"""What a process holds where several share a model: pure, of what one alone would hold.

Parts are divided as each strategy divides them; what is gathered for a moment is added by the
model's units, which FSDP and ZeRO gather one after the other: a layer, and the end (the output's
embedding with the last norm). Compared with two real processes by ``bench/strategies.py``.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from martlet_runtime.estimate.memory import Memory, Setting

_LIVE_NUMBERS = 1_000_000_000
"""DeepSpeed's stage3_max_live_parameters: so many stay gathered before any is given back."""
_MASTER_BYTES = 4
"""ZeRO keeps what learns in full precision besides, in parts."""


@dataclass(frozen=True)
class Units:
    """Bytes. ``learning`` is of what learns in them."""

    layer: int
    layer_learning: int
    end: int
    end_learning: int
    numbers: int
    learning_numbers: int
    number_bytes: int


def layers_of(model: Any) -> Any:
    """The list of modules that most of the weights are in."""
    lists = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m)]
    return max(lists, key=lambda found: _bytes(found.parameters()))


def units_of(model: Any) -> Units:
    """Of a model whose weights are all there, or pretended."""
    layers = layers_of(model)
    end = model.get_output_embeddings()
    ends = list(end.parameters()) if end is not None else []
    weights = list(model.parameters())
    learning = [item for item in weights if item.requires_grad]
    return Units(
        layer=_bytes(layers[0].parameters()),
        layer_learning=_bytes(_learning(layers[0].parameters())),
        end=_bytes(ends),
        end_learning=_bytes(_learning(ends)),
        numbers=sum(item.numel() for item in weights),
        learning_numbers=sum(item.numel() for item in learning),
        number_bytes=weights[0].element_size(),
    )


@dataclass(frozen=True)
class Parts:
    """Activations, in bytes, at the peaks of a step's two parts: until the gradients reach the last
    layer, and from there on."""

    ends: int
    layers: int


def shared(alone: Memory, setting: Setting, processes: int, units: Units, parts: Parts) -> Memory:
    """Of the process that holds most; ``parts`` are those of ``alone``."""
    if processes == 1:
        return alone
    strategy = setting.strategy
    if strategy == "DDP":
        # Gradients are gathered in buckets beside them.
        return replace(alone, gradients=2 * alone.gradients)
    part = _divided(alone, processes, weights=strategy != "ZeRO2")
    if strategy == "FSDP":
        return replace(part, activations=_with_gathered(units, parts))
    gathered = units.end_learning + 2 * units.layer_learning
    master = _MASTER_BYTES * units.learning_numbers // processes
    part = replace(part, optimizer=part.optimizer + master)
    if strategy == "ZeRO3":
        live = min(units.numbers, _LIVE_NUMBERS) * units.number_bytes
        if setting.gradient_checkpointing and units.learning_numbers < units.numbers:
            # As measured: frozen weights are gathered anew before the former are given back.
            live *= 2
        return replace(part, activations=part.activations + live + gathered)
    beside = units.end_learning + units.layer_learning
    return replace(part, gradients=part.gradients + beside)


def _with_gathered(units: Units, parts: Parts) -> int:
    """Activations with what FSDP gathers. Of the first part, the end and the layer before it, whose
    weights are kept from forward to backward. Of the second, the layer with the one that is
    gathered ahead, and gradients until they are scattered: two layers', or the end's with one, or
    those of the end and the copy that is being scattered."""
    layer, learning, end = units.layer, units.layer_learning, units.end_learning
    layers = max(2 * layer + 2 * learning, 2 * layer + end + learning, layer + 2 * end)
    return max(parts.ends + units.end + layer, parts.layers + layers)


def _divided(alone: Memory, processes: int, *, weights: bool) -> Memory:
    held = {"gradients": alone.gradients, "optimizer": alone.optimizer}
    if weights:
        held |= {"weights": alone.weights, "adapter": alone.adapter}
    return replace(alone, **{name: -(-size // processes) for name, size in held.items()})


def _learning(weights: Any) -> list[Any]:
    return [item for item in weights if item.requires_grad]


def _bytes(weights: Any) -> int:
    return sum(item.numel() * item.element_size() for item in weights)
