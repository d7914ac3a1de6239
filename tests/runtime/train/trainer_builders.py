"""Plans and pods of small training runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from martlet_api.contract import Input, OutputPlan, Plan, TrainPlan
from martlet_api.runs import ArtifactBase
from martlet_api.training import ROWS_OF, Hyperparameters, Tuner
from martlet_runtime.data import read_training
from martlet_runtime.paths import Paths

BASE = ArtifactBase(uri="pvc://models/base", digest="sha256:" + "0" * 64)
LORA = Tuner(type="LoRA", rank=8, alpha=16, dropout=0)


def village_rows(village: Path) -> list[dict[str, Any]]:
    """The village's rows as SFT reads them."""
    wanted = Input(name="rows", kind="Dataset", uri="pvc://d/train.jsonl", rows="Conversation")
    return list(read_training(village / "train.jsonl", wanted))


def train_plan(name: str, *, hyperparameters: dict[str, Any] | None = None, **more: Any) -> Plan:
    """SFT of the village with a LoRA, 16 rows a step."""
    params: dict[str, Any] = {
        "learning_rate": 5e-3, "global_batch_size": 16, "micro_batch_size": 4, "max_length": 64,
    }  # fmt: skip
    method = more.get("method", "SFT")
    rewards = more.get("rewards", [])
    parts = {
        "method": method,
        "tuner": LORA,
        "hyperparameters": Hyperparameters(**{**params, **(hyperparameters or {})}),
        "precision": "FP32",
        "base": BASE,
        "output": OutputPlan(uri=f"pvc://models/{name}/r1", record={"owner": "us"}),
    }
    return Plan(
        kind="FineTuneJob",
        namespace="n",
        name=name,
        run="r1",
        inputs=[
            Input(
                name="dataset-0",
                kind="Dataset",
                uri="pvc://data/train.jsonl",
                rows=ROWS_OF[method],
                columns=[reward.needed_column for reward in rewards if reward.needed_column],
            )
        ],
        train=TrainPlan(**{**parts, **more}),
    )


EPOCH = 4
"""Steps of an epoch of ``whole_steps``."""


def whole_steps(plan: Plan) -> Plan:
    """With rows for whole steps alone: where an epoch's last step is short, several processes fill
    it up with rows from its beginning, and its loss is of few rows."""
    inputs = [item.model_copy(update={"max_samples": EPOCH * 16}) for item in plan.inputs]
    return plan.model_copy(update={"inputs": inputs})


def lay_out(root: Path, village: Path) -> Paths:
    """A pod's folders with the village's base and rows."""
    paths = Paths(root / "inputs", root / "work", root / "volumes", root / "termination")
    for folder in (paths.inputs, paths.work):
        folder.mkdir(parents=True, exist_ok=True)
    for name, target in [("model", "base"), ("dataset-0", "train.jsonl")]:
        link = paths.inputs / name
        if not link.exists():
            link.symlink_to(village / target)
    return paths
