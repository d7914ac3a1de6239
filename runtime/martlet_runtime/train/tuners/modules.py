"""The modules that an adapter is laid over."""

from typing import Any

from martlet_api.conditions import Reason
from martlet_api.training import Tuner
from martlet_runtime.errors import UserError
from martlet_runtime.train.tuners.base import Target

ALL_LINEAR = "all-linear"
"""PEFT's word for every linear layer but the output's."""


def wanted(tuner: Tuner, target: Target) -> str | list[str]:
    """PEFT's ``target_modules``; InvalidSpec for a module that the model has not: PEFT leaves such
    a name out in silence."""
    names = tuner.target_modules or [ALL_LINEAR]
    if names == [ALL_LINEAR]:
        return ALL_LINEAR
    known = [name for name, module in target.model.named_modules() if _has_weights(module)]
    for name in names:
        if not any(_ends(path, name) for path in known):
            ends = sorted({path.rpartition(".")[2] for path in known})
            raise UserError(
                Reason.INVALID_SPEC,
                f"The model has no module {name}; it has {', '.join(ends)}. Correct "
                f"spec.tuner.targetModules, or use [{ALL_LINEAR}].",
            )
    return names


def where(tuner: Tuner, target: Target) -> dict[str, Any]:
    """What PEFT's configurations of all kinds share: what an adapter is laid over."""
    return {
        "task_type": target.task_type,
        "target_modules": wanted(tuner, target),
        "modules_to_save": target.whole_modules,
    }


def check_rank(rank: int, tuner: Tuner, target: Target) -> None:
    """InvalidSpec for a rank that a layer cannot have."""
    for path, shape in _shapes(tuner, target):
        if rank > min(shape):
            raise UserError(
                Reason.INVALID_SPEC,
                f"spec.tuner.rank {rank} is more than the layer {path} of {shape[0]} x {shape[1]} "
                f"can have: at most {min(shape)}. Lower it, or leave the layer out of "
                "spec.tuner.targetModules.",
            )


def check_blocks(size: int, tuner: Tuner, target: Target) -> None:
    """InvalidSpec for layers that blocks of this size do not divide."""
    for path, shape in _shapes(tuner, target):
        if shape[1] % size:
            raise UserError(
                Reason.INVALID_SPEC,
                f"spec.tuner.boftBlockSize {size} does not divide the {shape[1]} inputs of the "
                f"layer {path}. Choose one that does.",
            )


def _shapes(tuner: Tuner, target: Target) -> list[tuple[str, tuple[int, int]]]:
    """(path, (outputs, inputs)) of each linear layer that is adapted."""
    names = wanted(tuner, target)
    output = target.model.get_output_embeddings()
    return [
        (path, (module.out_features, module.in_features))
        for path, module in target.model.named_modules()
        if hasattr(module, "in_features")
        and (
            _is_inner(path, module, output, target) if names == ALL_LINEAR else _named(path, names)
        )
    ]


def _is_inner(path: str, module: Any, output: Any, target: Target) -> bool:
    return module is not output and path.rpartition(".")[2] != target.head


def _named(path: str, names: str | list[str]) -> bool:
    return any(_ends(path, name) for name in names)


def _ends(path: str, name: str) -> bool:
    """Names are the ends of modules' paths (``q_proj``, ``self_attn.q_proj``), as PEFT's are."""
    return f".{path}".endswith(f".{name}")


def _has_weights(module: Any) -> bool:
    return getattr(module, "weight", None) is not None and module.weight.dim() > 1
