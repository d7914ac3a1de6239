"""What a ladder needs of memory and disks, reckoned from the model's shapes before it is loaded.

Memory is a sum of what is alive at some time, since an allocator seldom gives back: the weights;
what the method holds while it works on the largest decoder layer (``_of_layer``); the calibration's
hidden states; logits of a window; and the compressed weights twice, in place and while they are
written. With 77 M parameters, 32 rows of 256 tokens and five methods it told 1.04 to 1.18 times the
peak of the process that was measured.

With an accelerator the same is told of the host's memory, where the weights are loaded and from
where they move on: that is an upper bound, since layers are then worked on elsewhere. The
accelerator's own memory is not reckoned: what it cannot hold stays on the host.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from martlet_api.conditions import Reason
from martlet_api.quantizedmodel import Rung
from martlet_runtime.errors import UserError
from martlet_runtime.perplexity import WINDOW
from martlet_runtime.quantize.methods import groups

PROCESS = 1000 << 20
"""Bytes of the process with all that it imports, before the first weight: measured."""
_FLOAT = 4
_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""As cgroups of version 2 and 1 have it, inside the container."""
_GIB = 1 << 30
_AUTOROUND_BATCH = 8
_AWQ_STATES = 24


@dataclass(frozen=True)
class Calibration:
    """Rows, and tokens of the longest."""

    rows: int
    tokens: int


@dataclass(frozen=True)
class Needs:
    """Bytes that a rung needs: of memory, and of disk for what it writes."""

    rung: Rung
    memory: int
    disk: int


def of(rung: Rung, shape: Any, dtype: torch.dtype, calibration: Calibration) -> Needs:
    """``shape`` is the model on ``meta``."""
    weights = sum(each.numel() for each in shape.parameters()) * dtype.itemsize
    disk = compressed_bytes(rung, shape, dtype)
    logits = 3 * WINDOW * shape.config.vocab_size * _FLOAT
    return Needs(
        rung,
        PROCESS + weights + _working(rung, shape, dtype, calibration) + logits + 2 * disk,
        disk,
    )


def compressed_bytes(rung: Rung, shape: Any, dtype: torch.dtype) -> int:
    """Of the layers in fewer bits with their scales, and of all else as it is measured."""
    linear = {f"{name}.weight" for name, _ in _layers(shape)}
    bits = groups.bits(rung) if rung.method in groups.GROUPED else 8
    total = 0.0
    for name, weight in shape.named_parameters():
        if name not in linear:
            total += weight.numel() * dtype.itemsize
            continue
        width = groups.group_size(rung) if rung.method in groups.GROUPED else weight.shape[1]
        total += weight.numel() * (bits / 8 + dtype.itemsize / width)
    return int(total)


def _working(rung: Rung, shape: Any, dtype: torch.dtype, rows: Calibration) -> int:
    """What the method itself holds: of the layer that it works on, and of the rows' hidden
    states, of which it keeps what went in and what came out. AWQ keeps them at each place that it
    scales, and its search lets go of them in pieces too small to be had again: measured."""
    if rung.method in ("FP8", "W8A16"):
        return 0
    states = rows.rows * rows.tokens * int(shape.config.hidden_size) * dtype.itemsize
    kept = _AWQ_STATES if rung.method == "AWQ" else 2
    return kept * states + max(_of_layer(rung, layer, rows) for layer in _decoder(shape))


def _of_layer(rung: Rung, layer: torch.nn.Module, rows: Calibration) -> int:
    """GPTQ: a square of its inputs for each matrix (the Hessian, in float32), thrice more of the
    largest while it is inverted. AWQ: the weights and their copy. AutoRound: what is learnt of each
    weight with its gradient and best, and a batch's outputs with theirs."""
    linear = [each for each in layer.modules() if isinstance(each, torch.nn.Linear)]
    weights = sum(each.weight.numel() for each in linear)
    if rung.method == "AWQ":
        return 2 * weights * _FLOAT
    if rung.method == "AutoRound":
        batch = min(_AUTOROUND_BATCH, rows.rows) * rows.tokens
        return (4 * weights + 2 * batch * sum(each.out_features for each in linear)) * _FLOAT
    squares = [each.in_features**2 for each in linear]
    return (sum(squares) + 3 * max(squares)) * _FLOAT


def _layers(shape: Any) -> Iterable[tuple[str, torch.nn.Linear]]:
    """What is compressed: every linear layer but the head."""
    for name, module in shape.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            yield name, module


def _decoder(shape: Any) -> list[torch.nn.Module]:
    """The decoder's layers, one of which is worked on at a time."""
    lists = [each for each in shape.modules() if isinstance(each, torch.nn.ModuleList)]
    return list(max(lists, key=len))


def check_memory(needs: list[Needs], limit: int | None) -> None:
    """InsufficientMemory if a rung needs more than the container may have."""
    largest = max(needs, key=lambda each: each.memory)
    if limit is None or largest.memory <= limit:
        return
    raise UserError(
        Reason.INSUFFICIENT_MEMORY,
        f"Compressing by {largest.rung.method} needs about {_gib(largest.memory)} of memory, and "
        f"the container may have {_gib(limit)}. Raise spec.pod.resources.limits.memory, or lower "
        "spec.calibration.samples or maxLength.",
    )


def check_disk(needed: int, folder: Path, what: str) -> None:
    """DiskFull if a volume has less room than will be written to it."""
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return
    raise UserError(
        Reason.DISK_FULL,
        f"{what} needs about {_gib(needed)}, and {_gib(free)} are free. Free or enlarge the "
        "volume, then set a new spec.retry.",
    )


def memory_limit(root: Path = _CGROUP) -> int | None:
    """Bytes that this container may have; None where nothing limits it."""
    for name in _LIMITS:
        path = root / name
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            return int(text)
    return None


def _gib(size: int) -> str:
    return f"{size / _GIB:.2f} GiB" if size >= _GIB / 10 else f"{size / (1 << 20):.1f} MiB"
