"""What a process holds where several share a model: pure, of what one alone would hold.

Parts are divided as each strategy divides them; what is gathered for a moment is added by the
model's units, which FSDP and ZeRO gather one after the other: a layer, and the end (the output's
embedding with the last norm). Compared with two real processes by ``bench/strategies.py``.
"""

from dataclasses import dataclass, replace
from typing import Any

from martlet_runtime.estimate.layers import layers_of
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.step import Step

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


def shared(alone: Memory, setting: Setting, processes: int, units: Units, step: Step) -> Memory:
    """Of the process that holds most; ``step`` is one of ``alone``."""
    if processes == 1:
        return alone
    if setting.strategy == "DDP":
        # Gradients are gathered in buckets beside them.
        return replace(alone, gradients=2 * alone.gradients)
    part = _divided(alone, processes, weights=setting.strategy != "ZeRO2")
    if setting.strategy == "FSDP":
        return replace(part, activations=_by_fsdp(units, step))
    master = _MASTER_BYTES * units.learning_numbers // processes
    activations = (_by_zero2 if setting.strategy == "ZeRO2" else _by_zero3)(units, step)
    return replace(part, optimizer=part.optimizer + master, activations=activations)


def _by_fsdp(units: Units, step: Step) -> int:
    """Activations with what is gathered. Of the first part, the end and the layer before it, whose
    weights are kept from forward to backward. Of the second, the layer with the one that is
    gathered ahead, and gradients until they are scattered: two layers', or the end's with one, or
    those of the end and the copy that is being scattered."""
    layer, learning, end = units.layer, units.layer_learning, units.end_learning
    layers = max(2 * layer + 2 * learning, 2 * layer + end + learning, layer + 2 * end)
    return max(step.ends + units.end + layer, step.layers + layers)


def _by_zero2(units: Units, step: Step) -> int:
    """Activations with the gradients that are not scattered yet."""
    return max(step.ends, step.layers + units.end_learning + units.layer_learning)


def _by_zero3(units: Units, step: Step) -> int:
    """Activations with what is gathered. DeepSpeed keeps weights gathered in whose use it foresees;
    it foresees nothing where the model runs more than once, since each run is a step to it
    (PartitionedParameterCoordinator.reset_step)."""
    kept = min(units.numbers, _LIVE_NUMBERS) * units.number_bytes
    end, layer = (units.end, units.layer) if step.runs > 1 else (kept, kept)
    gradients = units.end_learning + 2 * units.layer_learning
    return max(step.ends + end, step.layers + layer + gradients)


def _divided(alone: Memory, processes: int, *, weights: bool) -> Memory:
    held = {"gradients": alone.gradients, "optimizer": alone.optimizer}
    if weights:
        held |= {"weights": alone.weights, "adapter": alone.adapter}
    return replace(alone, **{name: -(-size // processes) for name, size in held.items()})


def _learning(weights: Any) -> list[Any]:
    return [item for item in weights if item.requires_grad]


def _bytes(weights: Any) -> int:
    return sum(item.numel() * item.element_size() for item in weights)
