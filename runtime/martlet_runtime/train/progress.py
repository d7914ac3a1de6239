"""Tells the metrics page how training goes."""

import resource
import time
from typing import Any

import torch
from transformers import TrainerCallback

from martlet_runtime.report import Report

_REWARDS = ("reward", "objective/scores")
_MARGINS = ("rewards/margins", "margin", "objective/scores_margin")
"""What TRL's trainers call the mean reward of answers, and that of chosen over rejected ones."""


class Progress(TrainerCallback):  # type: ignore[misc]
    """Keeps the last losses for the result."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._started = time.monotonic()
        self._first = 0
        self._last: tuple[float, float] | None = None
        self.loss: float | None = None
        self.eval_loss: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started, self._first = time.monotonic(), state.global_step
        self._report.train(step=state.global_step, total_steps=state.max_steps, elapsed=0)

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        told = logs or {}
        self.loss = self._loss(told)
        self.eval_loss = told.get("eval_loss", self.eval_loss)
        self._report.train(
            step=state.global_step,
            total_steps=state.max_steps,
            elapsed=self._elapsed(state.global_step),
            epoch=told.get("epoch"),
            loss=self.loss,
            eval_loss=told.get("eval_loss"),
            learning_rate=told.get("learning_rate"),
            reward=_first(told, _REWARDS),
            margin=_first(told, _MARGINS),
            tokens_per_second=self._speed(told.get("num_tokens")),
            memory=_memory(),
        )

    def _elapsed(self, step: int) -> float:
        """Seconds that all steps would have taken at the pace of this attempt's."""
        own = step - self._first
        return (time.monotonic() - self._started) / own * step if own else 0.0

    def _loss(self, told: dict[str, float]) -> float | None:
        """The last step's; the mean over all steps where a run is too short to log one."""
        if "loss" in told:
            return told["loss"]
        return told.get("train_loss") if self.loss is None else self.loss

    def _speed(self, tokens: float | None) -> float | None:
        """Over the steps since the last log."""
        if tokens is None:
            return None
        now, former = time.monotonic(), self._last
        self._last = (now, tokens)
        return (tokens - former[1]) / (now - former[0]) if former else None


def _first(told: dict[str, float], names: tuple[str, ...]) -> float | None:
    return next((told[name] for name in names if name in told), None)


def _memory() -> int:
    """Peak bytes of the accelerator; of the process where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
