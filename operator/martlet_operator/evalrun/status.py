"""What a scoring run says: its progress, and the verdict."""

from datetime import datetime
from typing import Any

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Termination
from martlet_api.evalrun import EvalProgress, EvalRunSpec, EvalRunStatus, Score, Verdict
from martlet_operator.batch.kind import Outcome
from martlet_operator.conditions.fold import Ready, timestamp
from martlet_operator.evalrun import contamination, judging

_SHOWN, _ROOM = 5, 560
"""Scores, and characters of them, that are told in the bounded message of a verdict."""


def progress(gauges: dict[str, float], now: datetime) -> tuple[EvalProgress, str] | None:
    """None until the test sets were read."""
    total = int(gauges.get(contract.METRIC_TOTAL_SAMPLES, 0))
    if not total:
        return None
    done = int(gauges.get(contract.METRIC_SAMPLES, 0))
    figures = EvalProgress(samples=done, total_samples=total, updated_at=timestamp(now))
    return figures, f"{done} of {total} samples answered."


def outcome(spec: EvalRunSpec, status: EvalRunStatus, now: datetime) -> Outcome:
    """A verdict on this model's digest; it passes if no threshold was missed. What cannot be
    judged gives none."""
    assert status.measured is not None
    found = judging.judge(spec, status.measured, status.baseline, status.comparison)
    if found.undecided:
        text = (
            f"There is no verdict: {_list(found.undecided)}. Change the thresholds or the suites."
        )
        return Outcome(Ready("False", Reason.INCONCLUSIVE, text), {"scores": found.scores})
    warned = contamination.warning(status.contamination)
    message = f"{_message(found.scores, found.missed)} {warned}".rstrip()
    verdict = Verdict(
        passed=not found.missed,
        model_digest=status.measured.model_digest,
        revision=status.measured.revision,
        key=status.measured.key,
        baseline_digest=status.baseline.model_digest if status.baseline else None,
        at=timestamp(now),
        message=message,
    )
    ready = (
        Ready("False", Reason.THRESHOLD_NOT_MET, f"{message} Train or choose another model.")
        if found.missed
        else Ready("True", Reason.PASSED, message)
    )
    return Outcome(ready, {"scores": found.scores, "verdict": verdict, "progress": None})


def findings(told: Termination) -> dict[str, Any]:
    """The scores of a run that gave no verdict; the baseline's are not the model's."""
    if told.evaluate is None or told.evaluate.subject == "Baseline":
        return {}
    return {"scores": told.evaluate.scores}


def _message(scores: list[Score], missed: list[str]) -> str:
    if missed:
        return f"{len(missed)} of {len(scores)} scores missed their threshold: {_list(missed)}."
    return f"Scored: {_list([_figures(score) for score in scores])}."


def _figures(score: Score) -> str:
    beside = f", baseline {score.baseline:.4g}" if score.baseline is not None else ""
    return f"{score.suite} {score.metric} {score.value:.4g} ({score.samples} samples{beside})"


def _list(parts: list[str]) -> str:
    """The first, and as many more as there is room for."""
    shown = parts[:1]
    for part in parts[1:_SHOWN]:
        if sum(map(len, [*shown, part])) <= _ROOM:
            shown.append(part)
    left = len(parts) - len(shown)
    more = f"; and {left} more in status.scores" if left else ""
    return "; ".join(shown) + more
