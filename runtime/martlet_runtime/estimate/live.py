"""Counts the memory of tensors that are alive."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_ROUNDED = 512
"""Bytes; what CUDA's caching allocator rounds up to."""


class Live:
    """``now`` and ``peak`` in bytes, and ``peaks`` by the part of a step (``enter``). A storage
    counts once, however many tensors look at it."""

    def __init__(self) -> None:
        self.now, self.peaks, self._part = 0, {"": 0}, ""
        self._sizes: dict[int, int] = {}

    def add(self, value: Any) -> None:
        """All tensors of a value (a tensor, a list, a dictionary...) until they are gone."""
        for tensor in tree_leaves(value):
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())

    def begin(self) -> None:
        """Forgets the peaks so far."""
        self.peaks = {self._part: self.now}

    def enter(self, part: str) -> None:
        """What follows belongs to another part of the step."""
        self._part = part
        self._note()

    @property
    def peak(self) -> int:
        return max(self.peaks.values())

    def _add(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._sizes:
            return
        size = -(-storage.nbytes() // _ROUNDED) * _ROUNDED
        self._sizes[key] = size
        self.now += size
        self._note()
        weakref.finalize(storage, self._drop, key)

    def _note(self) -> None:
        self.peaks[self._part] = max(self.peaks.get(self._part, 0), self.now)

    def _drop(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


class Counted(TorchDispatchMode):
    """Notes what every operation makes, of real tensors."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.live.add(out)
        return out
