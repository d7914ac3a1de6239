"""Train: reads the rows, trains, and writes what was trained as an artifact."""

import json
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination, TrainPlan, TrainResult
from martlet_api.runs import Artifact
from martlet_runtime import artifacts
from martlet_runtime.loading import load_teacher, load_tokenizer
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train import dataset, finite, weights, world
from martlet_runtime.train.checkpoints import Checkpoints
from martlet_runtime.train.methods import METHODS
from martlet_runtime.train.precision import dtype_of
from martlet_runtime.train.progress import Progress
from martlet_runtime.train.stop import Stop
from martlet_runtime.train.strategies import Watch
from martlet_runtime.train.task import Task
from martlet_runtime.train.tuners import TUNERS, Target

TRAINING = "martlet-training.json"
"""Beside the weights: how training went, for whoever finds the artifact later."""


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """One training run from its start, or its last checkpoint, to its artifact."""
    assert plan.train is not None
    train = plan.train
    if done := _done_before(paths, train):
        return _ended(done)
    world.join(train)
    artifacts.check_writable(paths, train.output)
    checkpoints = Checkpoints(paths, train.output.uri, train.checkpoint, report)
    with world.lost_peers_told():
        trainer, progress = _train(plan, paths, report, checkpoints)
        result = _write(trainer, progress, train, paths)
    if result is None:
        return _other_ended()
    checkpoints.remove()
    return _ended(result)


def _train(
    plan: Plan, paths: Paths, report: Report, checkpoints: Checkpoints
) -> tuple[Any, Progress]:
    assert plan.train is not None
    progress, stop = Progress(report), Stop()
    task = _task(plan, plan.train, paths, (progress, stop, checkpoints), checkpoints.partial)
    trainer = METHODS[plan.train.method].trainer(task)
    TUNERS[plan.train.tuner.type].prepare(trainer, plan.train, paths.work)
    finite.watch(trainer)
    resumed = checkpoints.resume_from()
    checkpoints.prepare()
    with checkpoints.full_disk_told():
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    stop.check()
    return trainer, progress


def _write(trainer: Any, progress: Progress, train: TrainPlan, paths: Paths) -> TrainResult | None:
    """The artifact, with how training went beside the weights. The first process writes it; the
    others wait, so that none is gone while it is needed."""
    state = weights.gathered(trainer, train)
    if world.rank() != 0:
        world.barrier()
        return None
    told = {
        "steps": trainer.state.global_step,
        "loss": progress.loss,
        "evalLoss": progress.eval_loss,
    }

    def build(folder: Path) -> None:
        weights.save(trainer, train, paths, folder, state)
        (folder / TRAINING).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")

    written = artifacts.write(paths, train.output, weights.kind(train), weights.base(train), build)
    world.barrier()
    return _result(paths, written, told)


def _done_before(paths: Paths, train: TrainPlan) -> TrainResult | None:
    """What an earlier attempt of the run finished, though its message was lost."""
    found = artifacts.find(paths, train.output, weights.kind(train), weights.base(train))
    if found is None:
        return None
    told = json.loads((paths.of_claim(found.uri) / TRAINING).read_text())
    return _result(paths, found, told)


def _result(paths: Paths, written: Artifact, told: dict[str, Any]) -> TrainResult:
    rank = weights.served_rank(paths.of_claim(written.uri))
    artifact = written.model_copy(update={"adapter_rank": rank})
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


def _other_ended() -> Termination:
    return Termination(
        flow="train",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"Process {world.rank()} is done; the first one has the result.",
    )


def _task(
    plan: Plan, train: TrainPlan, paths: Paths, callbacks: tuple[Any, ...], output: Path
) -> Task:
    method, tuner = METHODS[train.method], TUNERS[train.tuner.type]
    dtype, params = dtype_of(train.precision), train.hyperparameters
    tokenizer = load_tokenizer(paths, chats=method.chats)
    render = method.renderer(tokenizer, params)
    rows, validation = dataset.read(plan, paths, render)
    model = method.load(paths, dtype, tuner.quantization(dtype))
    return Task(
        model=model,
        tokenizer=tokenizer,
        rows=rows,
        validation=validation,
        peft_config=tuner.config(train.tuner, Target(model, method.task_type, method.head)),
        learning_rate=params.learning_rate or tuner.learning_rate,
        hyperparameters=params,
        checkpoint=train.checkpoint,
        dtype=dtype,
        output=output,
        scratch=paths.work,
        callbacks=(*callbacks, *tuner.callbacks(), Watch(train.strategy, train.processes)),
        processes=train.processes,
        strategy=train.strategy,
        rewards=tuple(train.rewards),
        teacher=load_teacher(paths, dtype) if train.method == "GKD" else None,
    )
