"""A pod that is told to stop saves at the next step boundary, then ends."""

import signal
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from martlet_api.conditions import Reason
from martlet_runtime.errors import RetryableError
from martlet_runtime.train import world


class Stop(TrainerCallback):  # type: ignore[misc]
    """The signal is only noted; between two steps all is whole. All processes stop at the same
    step, whichever of them was told."""

    def __init__(self) -> None:
        self._told = False
        self._stopped_at: int | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        signal.signal(signal.SIGTERM, self._tell)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if world.any_of(self._told) and state.global_step < state.max_steps:
            self._stopped_at = state.global_step
            control.should_save = True
            control.should_training_stop = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The grace period is for saving."""
        if self._stopped_at is not None:
            control.should_evaluate = False

    def check(self) -> None:
        """After training: RetryableError where it was stopped before its end."""
        if self._stopped_at is not None:
            raise RetryableError(
                Reason.POD_FAILED,
                f"The pod was told to stop and saved a checkpoint at step {self._stopped_at}, from "
                "which training goes on.",
            )

    def _tell(self, _signal: int, _frame: FrameType | None) -> None:
        self._told = True
