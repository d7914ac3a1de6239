"""Train: reads the rows, trains, and writes what was trained as an artifact."""

import random
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination, TrainPlan, TrainResult
from martlet_runtime import artifacts, data
from martlet_runtime.loading import load_model, load_tokenizer
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train.methods import METHODS
from martlet_runtime.train.precision import dtype_of
from martlet_runtime.train.progress import Progress
from martlet_runtime.train.task import Task
from martlet_runtime.train.tuners import TUNERS

Rows = list[dict[str, Any]]


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """One training run from its start to its artifact."""
    assert plan.train is not None
    train, progress = plan.train, Progress(report)
    artifacts.check_writable(paths, train.output)
    tuner = TUNERS[train.tuner.type]
    trainer = METHODS[train.method](_task(plan, train, paths, progress))

    def build(folder: Path) -> None:
        trainer.train()
        model = trainer.accelerator.unwrap_model(trainer.model)
        tuner.save(model, trainer.processing_class, folder, train.base.uri)

    base = train.base if tuner.artifact == "peft-adapter" else None
    artifact = artifacts.write(paths, train.output, tuner.artifact, base, build)
    result = TrainResult(
        artifact=artifact,
        steps=trainer.state.global_step,
        loss=progress.loss,
        eval_loss=progress.eval_loss,
    )
    return Termination(
        flow="train",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"Trained {result.steps} steps.",
        train=result,
    )


def _task(plan: Plan, train: TrainPlan, paths: Paths, progress: Progress) -> Task:
    dtype = dtype_of(train.precision)
    rows, validation = split(read_rows(plan, paths), train)
    tuner = TUNERS[train.tuner.type]
    model = load_model(paths, dtype)
    return Task(
        model=model,
        tokenizer=load_tokenizer(paths),
        rows=rows,
        validation=validation,
        peft_config=tuner.config(train.tuner, model),
        learning_rate=train.hyperparameters.learning_rate or tuner.learning_rate,
        hyperparameters=train.hyperparameters,
        dtype=dtype,
        scratch=paths.work,
        progress=progress,
    )


def read_rows(plan: Plan, paths: Paths) -> Rows:
    """The rows of all data sets, in the order of the spec."""
    wanted = [item for item in plan.inputs if item.kind == "Dataset"]
    return [
        row
        for item in wanted
        for row in data.read_training(paths.inputs / item.name, item.uri, item.max_samples)
    ]


def split(rows: Rows, train: TrainPlan) -> tuple[Rows, Rows]:
    """(training, validation): the same rows for the same seed; at least one row each."""
    if train.validation is None:
        return rows, []
    shuffled = rows[:]
    random.Random(train.hyperparameters.seed).shuffle(shuffled)  # noqa: S311
    kept = min(max(1, round(len(rows) * train.validation.fraction)), len(rows) - 1)
    return shuffled[kept:], shuffled[:kept]
