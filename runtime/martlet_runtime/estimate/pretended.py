"""Tensors that have a shape and no numbers, in code that was not written for them.

Floating tensors are torch's FakeTensors: nothing is computed and nothing is stored. Small tensors
of whole numbers (token ids, labels, masks) are real, so that a trainer can count and choose by
them. Where a trainer asks for the number in a FakeTensor, as for a metric, it is told one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from unittest.mock import patch

import torch
from accelerate import init_empty_weights
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from martlet_runtime.estimate.live import Live

aten = torch.ops.aten
_DEVICE = torch.ops.prim.device.default
"""Two of three operations ask for it alone."""

_LARGE = 1 << 22
"""Numbers in a tensor from which on it is pretended even if they are whole: attention masks."""
_INDEXED = (
    aten.index.Tensor,
    aten._unsafe_index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
)
_SHAPE_UNKNOWN = (
    torch._subclasses.fake_tensor.DataDependentOutputException,
    torch._subclasses.fake_tensor.DynamicOutputShapeException,
    torch._subclasses.fake_tensor.UnsupportedOperatorException,
)


@contextmanager
def shapes_alone() -> Iterator[None]:
    """While a trainer is made: weights are made on ``meta``, and models stay where they are."""
    with init_empty_weights(), patch.object(torch.nn.Module, "to", lambda model, *_, **__: model):
        yield


class _Shapes(FakeTensorMode):
    @cached_property
    def avoid_device_init(self) -> bool:
        """Asked at each operation; torch looks for a driver each time."""
        return super().avoid_device_init


class Pretended(TorchDispatchMode):
    """While it is on, what is made is pretended; ``live`` counts it as if it were there."""

    def __init__(self, live: Live) -> None:
        super().__init__()
        self.live = live
        self._fake = _Shapes(allow_non_fake_inputs=True)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is _DEVICE:
            return args[0].device
        pretended = FakeTensor in types
        if pretended and func is aten._local_scalar_dense.default:
            return _number(args[0])
        out = self._without(func, args, kwargs) if pretended else self._made(func, args, kwargs)
        self.live.add(out)
        return out

    def take(self, model: torch.nn.Module) -> None:
        """Makes a model's weights on ``meta`` pretended ones on the CPU."""
        known: dict[int, Any] = {}
        for module in model.modules():
            for name, weights in list(module._parameters.items()):
                if weights is not None:
                    module._parameters[name] = self._weights(weights, known)
            for name, numbers in list(module._buffers.items()):
                if numbers is not None and numbers.is_floating_point():
                    module._buffers[name] = self._tensor(numbers)

    def _weights(self, weights: Any, known: dict[int, Any]) -> Any:
        if id(weights) not in known:
            made = torch.nn.Parameter(self._tensor(weights), requires_grad=weights.requires_grad)
            known[id(weights)] = made
        return known[id(weights)]

    def _tensor(self, tensor: torch.Tensor) -> FakeTensor:
        with torch.no_grad():
            return FakeTensor(self._fake, tensor.detach().to("meta"), torch.device("cpu"))

    def _without(self, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """On shapes alone. A real mask tells how many it chooses; a pretended one chooses all."""
        if func in _INDEXED:
            args = (args[0], _positions(args[1]), *args[2:])
        if func is aten.nonzero.default:
            return torch.ones(args[0].shape, dtype=torch.bool).nonzero()
        with self._fake:
            return func(*args, **kwargs)

    def _made(self, func: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        """From real tensors, or from none: real if it is whole numbers and small."""
        try:
            with self._fake:
                out = func(*args, **kwargs)
        except _SHAPE_UNKNOWN:
            return func(*args, **kwargs)
        tensors = [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]
        if tensors and all(_is_small_and_whole(tensor) for tensor in tensors):
            return func(*args, **kwargs)
        return out


def _number(tensor: torch.Tensor) -> bool | int | float:
    if tensor.dtype == torch.bool:
        return False  # to "is any of them lost", above all
    return 1.0 if tensor.is_floating_point() else 1


def _positions(indices: list[Any]) -> list[Any]:
    out: list[Any] = []
    for index in indices:
        if isinstance(index, torch.Tensor) and index.dtype == torch.bool:
            mask = torch.ones(index.shape, dtype=torch.bool) if _fake(index) else index
            out += mask.nonzero(as_tuple=True)
        else:
            out.append(index)
    return out


def _fake(tensor: torch.Tensor) -> bool:
    return isinstance(tensor, FakeTensor)


def _is_small_and_whole(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.numel() <= _LARGE
