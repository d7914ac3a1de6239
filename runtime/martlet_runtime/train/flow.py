"""Train: reads the rows, trains, and writes what was trained as an artifact."""

import json
import random
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination, TrainPlan, TrainResult
from martlet_api.runs import Artifact
from martlet_runtime import artifacts, data
from martlet_runtime.loading import load_model, load_tokenizer
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train import finite
from martlet_runtime.train.checkpoints import Checkpoints
from martlet_runtime.train.methods import METHODS
from martlet_runtime.train.precision import dtype_of
from martlet_runtime.train.progress import Progress
from martlet_runtime.train.stop import Stop
from martlet_runtime.train.task import Task
from martlet_runtime.train.tuners import TUNERS

Rows = list[dict[str, Any]]
TRAINING = "martlet-training.json"
"""Beside the weights: how training went, for whoever finds the artifact later."""


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """One training run from its start, or its last checkpoint, to its artifact."""
    assert plan.train is not None
    train = plan.train
    if done := _done_before(paths, train):
        return _ended(done)
    artifacts.check_writable(paths, train.output)
    checkpoints = Checkpoints(paths, train.output.uri, train.checkpoint, report)
    trainer, progress = _train(plan, paths, report, checkpoints)
    result = _write(trainer, progress, train, paths)
    checkpoints.remove()
    return _ended(result)


def _train(
    plan: Plan, paths: Paths, report: Report, checkpoints: Checkpoints
) -> tuple[Any, Progress]:
    assert plan.train is not None
    progress, stop = Progress(report), Stop()
    task = _task(plan, plan.train, paths, (progress, stop, checkpoints), checkpoints.partial)
    trainer = METHODS[plan.train.method](task)
    finite.watch(trainer)
    resumed = checkpoints.resume_from()
    checkpoints.prepare()
    with checkpoints.full_disk_told():
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    stop.check()
    return trainer, progress


def _write(trainer: Any, progress: Progress, train: TrainPlan, paths: Paths) -> TrainResult:
    """The artifact, with how training went beside the weights."""
    tuner = TUNERS[train.tuner.type]
    told = {
        "steps": trainer.state.global_step,
        "loss": progress.loss,
        "evalLoss": progress.eval_loss,
    }

    def build(folder: Path) -> None:
        model = trainer.accelerator.unwrap_model(trainer.model)
        tuner.save(model, trainer.processing_class, folder, train.base.uri)
        (folder / TRAINING).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")

    artifact = artifacts.write(paths, train.output, tuner.artifact, _base(train), build)
    return _result(artifact, told)


def _done_before(paths: Paths, train: TrainPlan) -> TrainResult | None:
    """What an earlier attempt of the run finished, though its message was lost."""
    artifact = artifacts.find(paths, train.output, TUNERS[train.tuner.type].artifact, _base(train))
    if artifact is None:
        return None
    told = json.loads((paths.of_claim(train.output.uri) / TRAINING).read_text())
    return _result(artifact, told)


def _base(train: TrainPlan) -> Any:
    return train.base if TUNERS[train.tuner.type].artifact == "peft-adapter" else None


def _result(artifact: Artifact, told: dict[str, Any]) -> TrainResult:
    return TrainResult(
        artifact=artifact, steps=told["steps"], loss=told["loss"], eval_loss=told["evalLoss"]
    )


def _ended(result: TrainResult) -> Termination:
    return Termination(
        flow="train",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"Trained {result.steps} steps.",
        train=result,
    )


def _task(
    plan: Plan, train: TrainPlan, paths: Paths, callbacks: tuple[Any, ...], output: Path
) -> Task:
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
        checkpoint=train.checkpoint,
        dtype=dtype,
        output=output,
        callbacks=callbacks,
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
