"""One of two processes that run the plans of a folder one after the other, as two pods would, and
write down what each of them held."""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from martlet_api import contract

root, port = Path(sys.argv[1]), int(sys.argv[2])
contract.MASTER_PORT = port

from accelerate.state import AcceleratorState  # noqa: E402
from torch.distributed.tensor import DTensor  # noqa: E402
from transformers.integrations.deepspeed import unset_hf_deepspeed_config  # noqa: E402

from martlet_api.contract import Plan  # noqa: E402
from martlet_runtime.paths import Paths  # noqa: E402
from martlet_runtime.report import Report  # noqa: E402
from martlet_runtime.train import flow, strategies  # noqa: E402

seen: list[Any] = []
steps: list[int] = []
"""The steps that the trainers were at when they began a pass."""
watch = flow.finite.watch


def listen(trainer: Any) -> None:
    seen.append(trainer)
    watch(trainer)
    step = trainer.training_step
    trainer.training_step = lambda *args, **more: (
        steps.append(trainer.state.global_step),
        step(*args, **more),
    )[1]


flow.finite.watch = listen


class Killed(Exception):
    """Both processes at once, without a word to the flow."""


def kill_at(step: int) -> None:
    def on_step_end(_: Any, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == step:
            raise Killed

    flow.Stop.on_step_end = on_step_end


def numbers(optimizer: Any) -> int:
    """That the optimizer keeps in this process."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    total = 0
    for state in optimizer.state.values():
        for value in state.values():
            if getattr(value, "dim", lambda: 0)():
                total += (value.to_local() if isinstance(value, DTensor) else value).numel()
    return total


def train(plan: Plan, paths: Paths) -> Any:
    seen.clear()
    steps.clear()
    unset_hf_deepspeed_config()
    AcceleratorState._reset_state(reset_partial_state=True)
    return flow.run(plan, paths, Report())


def run(folder: Path) -> dict[str, Any]:
    plan = Plan.model_validate_json((folder / "plan.json").read_text())
    paths = Paths(
        folder / "inputs", folder / f"work-{os.environ[contract.NODE_RANK_ENV]}", root / "volumes"
    )
    paths.work.mkdir(exist_ok=True)
    if (killed := folder / "killed-at").exists():
        on_step_end = flow.Stop.on_step_end
        kill_at(int(killed.read_text()))
        with suppress(Killed):
            train(plan, paths)
        flow.Stop.on_step_end = on_step_end
    ended = train(plan, paths)
    trainer = seen[-1]
    return {
        "first": steps[0],
        "loss": ended.train.loss if ended.train else None,
        "strategy": strategies.running_strategy(trainer.model, trainer.optimizer),
        "held": strategies.held(trainer.model),
        "optimizer": numbers(trainer.optimizer),
    }


for name in sys.argv[3:]:
    try:
        told = run(root / name)
    except Exception:  # noqa: BLE001 - shown by the test that asks for it
        told = {"error": traceback.format_exc()}
    (root / name / f"told-{os.environ[contract.NODE_RANK_ENV]}.json").write_text(json.dumps(told))
    if "error" in told:
        sys.exit(1)
