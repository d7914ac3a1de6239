"""Attention over rows that lie behind one another in one pass: each row by itself.

transformers makes a mask of all tokens by all tokens for such a pass, of which only the blocks on
the diagonal count, so that time and memory grow with the square of the pass. Here each row is
attended alone, by torch's kernel for rows of different lengths on an accelerator, and one after
another elsewhere, which has no such kernel.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

NAME = "martlet_packed"
_SEPARABLE = {"full_attention", "sliding_attention"}
"""Kinds of layers, as transformers names them, whose rows the bounds keep apart. Others carry a
state from token to token, or cut the whole pass into chunks."""
_HALF = (torch.float16, torch.bfloat16)
"""What torch's kernel for rows of different lengths takes."""


def can_pack(model: Any) -> bool:
    """Whether rows behind one another stay apart in all layers of a model."""
    layers = set(getattr(model.config, "layer_types", None) or ()) or {"full_attention"}
    return model.config._attn_implementation in ("sdpa", NAME) and layers <= _SEPARABLE


def keep_apart(model: Any) -> None:
    """From now on a model attends row by row wherever positions begin anew in a pass of one
    batch row; any other pass is as before."""
    if not can_pack(model):
        raise UserError(
            Reason.INVALID_SPEC,
            f"hyperparameters.packing Enabled: {type(model).__name__} has layers in which rows "
            "that lie behind one another would see each other. Leave packing out, or set it to "
            "Disabled.",
        )
    model.set_attn_implementation(NAME)
    model.base_model.register_forward_pre_hook(_with_bounds, with_kwargs=True)


def _with_bounds(
    _model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Once a pass, not once a layer: on an accelerator the longest row is waited for. The names
    are those that transformers' own flash attention takes."""
    positions = kwargs.get("position_ids")
    if positions is None or positions.shape[0] != 1:
        return args, kwargs
    bounds = bounds_of(positions[0])
    longest = int(bounds.diff().max())
    of_rows = {"cu_seq_lens_q": bounds, "max_length_q": longest}
    return args, {**kwargs, **of_rows}


def bounds_of(positions: Tensor) -> Tensor:
    """(tokens,) positions -> (rows + 1,) int32: where rows begin, and the end of the last."""
    begins = torch.ones_like(positions, dtype=torch.bool)
    begins[1:] = positions.diff() != 1
    starts = begins.nonzero()[:, 0]
    return torch.cat([starts, starts.new_tensor([len(positions)])]).to(torch.int32)


def _mask(
    *, batch_size: int, attention_mask: Tensor | None, use_vmap: bool = False, **given: Any
) -> Tensor | None:
    """None where the bounds say it all; sdpa's mask for every other pass."""
    packed = not given.get("allow_is_causal_skip", True) and not use_vmap
    if packed and batch_size == 1 and attention_mask is None:
        return None
    mask: Tensor | None = sdpa_mask(
        batch_size=batch_size, attention_mask=attention_mask, use_vmap=use_vmap, **given
    )
    return mask


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    cu_seq_lens_q: Tensor | None = None,
    max_length_q: int = 0,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """``query`` (1, heads, tokens, size), ``key`` and ``value`` the same with their own heads ->
    (1, tokens, heads, size)."""
    states = (query, key, value)
    if attention_mask is not None or cu_seq_lens_q is None:
        out: tuple[Tensor, None] = sdpa_attention_forward(module, *states, attention_mask, **kwargs)
        return out
    if query.is_cuda and query.dtype in _HALF and not kwargs.get("dropout"):
        scale = kwargs.get("scaling")
        return at_once(states, cu_seq_lens_q, max_length_q, sliding_window, scale), None
    sizes = cu_seq_lens_q.diff().tolist()
    rows = zip(*(part.split(sizes, dim=2) for part in states), strict=True)
    done = [
        sdpa_attention_forward(module, *row, _window(row[0], sliding_window), **kwargs)[0]
        for row in rows
    ]
    return torch.cat(done, dim=1), None


def at_once(
    states: tuple[Tensor, Tensor, Tensor],
    bounds: Tensor,
    longest: int,
    sliding_window: int | None,
    scale: float | None,
) -> Tensor:
    """``_attend`` by torch's kernel for rows of different lengths, which takes (tokens, heads,
    size) and the bounds of rows."""
    query, key, value = (part[0].transpose(0, 1) for part in states)
    back = sliding_window - 1 if sliding_window else -1
    out = varlen_attn(
        query, key, value, bounds, bounds, longest, longest,
        scale=scale, window_size=(back, 0), enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    assert isinstance(out, Tensor)
    return out[None]


def _window(query: Tensor, sliding_window: int | None) -> Tensor | None:
    """The band of a row that is longer than its layer looks back; None is causal."""
    size = query.shape[2]
    if not sliding_window or size <= sliding_window:
        return None
    ones = torch.ones(size, size, dtype=torch.bool, device=query.device)
    return (ones.tril() & ones.triu(1 - sliding_window))[None, None]


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, _mask)
