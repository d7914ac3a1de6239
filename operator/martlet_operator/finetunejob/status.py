"""What a training run says: its progress, and how it ended."""

from datetime import datetime, timedelta
from typing import Any

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Termination
from martlet_api.finetunejob import Checkpoint, FineTuneJobSpec, TrainingProgress
from martlet_api.runs import TrainingSet
from martlet_operator.batch.kind import Finished, Outcome, Pass
from martlet_operator.batch.output import model_artifact, output_uri
from martlet_operator.conditions.fold import Ready, timestamp
from martlet_operator.inputs.wanted import Inputs


def progress(gauges: dict[str, float], now: datetime) -> tuple[TrainingProgress, str] | None:
    """None until the first step is done."""
    step = int(gauges.get(contract.METRIC_STEP, 0))
    total = int(gauges.get(contract.METRIC_TOTAL_STEPS, 0))
    if not step or not total:
        return None
    seconds = _seconds_left(gauges, step, total)
    figures = TrainingProgress(
        step=step,
        total_steps=total,
        epoch=_rounded(gauges.get(contract.METRIC_EPOCH), 3),
        loss=_rounded(gauges.get(contract.METRIC_LOSS), 4),
        eval_loss=_rounded(gauges.get(contract.METRIC_EVAL_LOSS), 4),
        learning_rate=gauges.get(contract.METRIC_LEARNING_RATE),
        reward=_rounded(gauges.get(contract.METRIC_REWARD), 4),
        margin=_rounded(gauges.get(contract.METRIC_MARGIN), 4),
        tokens_per_second=_rounded(gauges.get(contract.METRIC_TOKENS_PER_SECOND), 1),
        memory_bytes=_whole(gauges.get(contract.METRIC_TRAIN_MEMORY)),
        finishes_at=timestamp(now + timedelta(seconds=seconds)) if seconds is not None else None,
        updated_at=timestamp(now),
    )
    loss = f", loss {figures.loss}" if figures.loss is not None else ""
    left = f", about {_spoken(seconds)} left" if seconds else ""
    return figures, f"Step {step} of {total}{loss}{left}."


def _seconds_left(gauges: dict[str, float], step: int, total: int) -> float | None:
    """At the pace so far, from the seconds that training has taken."""
    elapsed = gauges.get(contract.METRIC_ELAPSED)
    return None if elapsed is None else elapsed / step * (total - step)


def kept(
    resource: dict[str, Any], spec: FineTuneJobSpec, run: str, gauges: dict[str, float]
) -> dict[str, Any]:
    """The newest whole checkpoint; nothing before the first."""
    step = _whole(gauges.get(contract.METRIC_CHECKPOINT_STEP))
    if step is None:
        return {}
    folder = contract.checkpoints_uri(output_uri(resource["metadata"]["name"], spec.output, run))
    return {"checkpoint": Checkpoint(step=step, uri=f"{folder}/checkpoint-{step}")}


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _spoken(seconds: float) -> str:
    """``4 h 12 min``, ``12 min``, ``40 s``."""
    minutes = round(seconds / 60)
    if not minutes:
        return f"{round(seconds)} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def checked(told: Termination, inputs: Inputs) -> dict[str, Any]:
    """What preflight made of the rows."""
    return {
        "audit": told.audit,
        "rejected": told.rejected,
        "trained_on": told.trained_on,
        "estimate": told.estimate,
    }


def taken(stage: str, at: Pass, finished: Finished) -> Outcome:
    """The artifact, and how training went."""
    result = finished.told.train
    assert result is not None
    artifact = model_artifact(result.artifact, finished.run, _trained_on(at, finished.inputs))
    progress = TrainingProgress(
        step=result.steps,
        total_steps=result.steps,
        loss=_rounded(result.loss, 4),
        eval_loss=_rounded(result.eval_loss, 4),
        updated_at=timestamp(finished.now),
    )
    loss = f", loss {progress.loss}" if progress.loss is not None else ""
    text = f"Trained {result.steps} steps{loss}. The artifact is {artifact.uri}."
    return Outcome(
        Ready("True", Reason.SUCCEEDED, text),
        {"artifact": artifact, "progress": progress, "checkpoint": None},
    )


def _trained_on(at: Pass, inputs: Inputs) -> list[TrainingSet]:
    """By this run, and by those that made the model that it began with."""
    assert inputs.model is not None
    unwritten = TrainingSet(resource=f"{at.resource['kind']}/{at.snapshot.name}")
    return [at.status.trained_on or unwritten, *inputs.model.trained_on]
