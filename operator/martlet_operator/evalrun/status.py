"""What a scoring run says: its progress, and the verdict."""

from datetime import datetime
from typing import Any

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Termination
from martlet_api.evalrun import EvalProgress, EvalRunSpec, Score, Verdict
from martlet_operator.batch.kind import Finished, Outcome
from martlet_operator.conditions.fold import Ready, timestamp

_SHOWN = 5
"""Scores that fit into the bounded message of a verdict."""


def progress(gauges: dict[str, float], now: datetime) -> tuple[EvalProgress, str] | None:
    """None until the test sets were read."""
    total = int(gauges.get(contract.METRIC_TOTAL_SAMPLES, 0))
    if not total:
        return None
    done = int(gauges.get(contract.METRIC_SAMPLES, 0))
    figures = EvalProgress(samples=done, total_samples=total, updated_at=timestamp(now))
    return figures, f"{done} of {total} samples answered."


def outcome(spec: EvalRunSpec, finished: Finished) -> Outcome:
    """A verdict on this model's digest; it passes if no threshold was missed."""
    result, model = finished.told.evaluate, finished.inputs.model
    assert result is not None
    assert model is not None
    missed = [score for score in result.scores if score.passed is False]
    message = _message(result.scores, missed)
    verdict = Verdict(
        passed=not missed, model_digest=model.digest, at=timestamp(finished.now), message=message
    )
    ready = (
        Ready("False", Reason.THRESHOLD_NOT_MET, f"{message} Train or choose another model.")
        if missed
        else Ready("True", Reason.PASSED, message)
    )
    return Outcome(ready, {"scores": result.scores, "verdict": verdict, "progress": None})


def findings(told: Termination) -> dict[str, Any]:
    """The scores of a run that gave no verdict."""
    return {"scores": told.evaluate.scores} if told.evaluate else {}


def _message(scores: list[Score], missed: list[Score]) -> str:
    shown = missed or scores
    parts = [f"{s.suite} {s.metric} {s.value:.4g} ({s.samples} samples)" for s in shown]
    figures = "; ".join(parts[:_SHOWN])
    if len(parts) > _SHOWN:
        figures += f"; and {len(parts) - _SHOWN} more in status.scores"
    if missed:
        return f"{len(missed)} of {len(scores)} scores missed their threshold: {figures}."
    return f"Scored: {figures}."
