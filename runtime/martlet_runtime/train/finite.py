"""Stops at the first loss that is no number, with the step and the rows that gave it."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError
from martlet_runtime.train import packed_attention

_ROWS, _CHARACTERS = 3, 80


def watch(trainer: Any) -> None:
    """Every forward pass is checked: what a lost loss does to the weights cannot be undone."""
    step = trainer.training_step

    def checked(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss: torch.Tensor = step(model, inputs, *args, **kwargs)
        if not torch.isfinite(loss).all():
            raise _diverged(trainer, inputs, loss)
        return loss

    trainer.training_step = checked


def _diverged(trainer: Any, inputs: Any, loss: torch.Tensor) -> UserError:
    number = trainer.state.global_step + 1
    rows = ", ".join(json.dumps(text, ensure_ascii=False) for text in _beginnings(trainer, inputs))
    return UserError(
        Reason.TRAINING_DIVERGED,
        f"The loss is {loss.item()} at step {number}, on the rows that begin {rows}. Lower "
        "hyperparameters.learningRate, raise warmupRatio, train in FP32, or look at these rows.",
    )


def _beginnings(trainer: Any, inputs: Any) -> list[str]:
    if not isinstance(inputs, Mapping):
        return [str(row.get("prompt", row))[:_CHARACTERS] for row in inputs[:_ROWS]]
    ids = next((v for k, v in inputs.items() if k.endswith("input_ids")), None)
    if ids is None:
        return []
    rows = _apart(ids, inputs.get("position_ids"))
    decode = trainer.processing_class.decode
    return [decode(row, skip_special_tokens=True).strip()[:_CHARACTERS] for row in rows[:_ROWS]]


def _apart(ids: torch.Tensor, positions: torch.Tensor | None) -> list[torch.Tensor]:
    """Rows; those that lie behind one another begin where their positions begin anew."""
    if positions is None or len(ids) > 1:
        return list(ids)
    sizes = packed_attention.bounds_of(positions[0]).diff().tolist()
    return list(ids[0].cpu().split(sizes))
