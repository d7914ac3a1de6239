"""What scores are worth: thresholds of their own, and against the baseline's. Pure.

With ``confidence`` c a bound must be kept by the end of the one-sided interval with that
confidence: the score's standard error times the normal quantile of c (a test of non-inferiority
where the bound is on the difference to the baseline). The variance of a difference of two models'
scores is the sum of both variances less twice their covariance, which is known where the rows were
compared one by one, and else taken to be nought: that makes one less sure.

Nothing passes by what is not there: a score that is missing, or of rows without an answer, leaves
its run without a verdict.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isnan, sqrt
from statistics import NormalDist

from martlet_api.evalrun import Comparison, EvalRunSpec, Measured, Score, Threshold

_ROUNDING = 1e-9
"""Scores are decimals: 0.48 is no more than 0.02 below 0.5."""


@dataclass(frozen=True)
class Verdict:
    """``undecided`` says why a threshold could not be judged at all."""

    scores: list[Score]
    missed: list[str]
    undecided: list[str]


@dataclass(frozen=True)
class _Compared:
    """How far inside a bound a figure lies, in ``margin``'s unit; negative is outside."""

    margin: float
    stderr: float | None
    text: str


def judge(
    spec: EvalRunSpec,
    measured: Measured,
    baseline: Measured | None,
    comparison: Comparison | None = None,
) -> Verdict:
    """All scores with the baseline's beside them, and what was missed."""
    former = {(s.suite, s.metric): s for s in baseline.scores} if baseline else {}
    pairs = {(p.suite, p.metric): p for p in comparison.pairings} if comparison else {}
    limits = {suite.name: suite.thresholds for suite in spec.suites}
    scores, missed, undecided = [], [], _missing(spec, measured)
    for score in measured.scores:
        own = [limit for limit in limits.get(score.suite, []) if limit.metric == score.metric]
        name = (score.suite, score.metric)
        other, pairing = former.get(name), pairs.get(name)
        wrong, open_ = _judged(score, other, own, pairing.covariance if pairing else 0)
        missed += wrong
        undecided += open_
        passed = not (wrong or open_) if own else None
        update = {
            "baseline": other.value if other else None,
            "worse": pairing.worse if pairing else None,
            "better": pairing.better if pairing else None,
            "passed": passed,
        }
        scores.append(score.model_copy(update=update))
    return Verdict(scores, missed, undecided)


def _missing(spec: EvalRunSpec, measured: Measured) -> list[str]:
    """Suites without a score, and metrics that thresholds name and no score has."""
    out = []
    for suite in spec.suites:
        told = {score.metric for score in measured.scores if score.suite == suite.name}
        if not told:
            out.append(f"{suite.name} has no score")
        for metric in sorted({limit.metric for limit in suite.thresholds} - told):
            out.append(f"{suite.name} has no metric {metric}")
    return out


def _judged(
    score: Score, other: Score | None, limits: list[Threshold], covariance: float
) -> tuple[list[str], list[str]]:
    """(what was missed, what could not be judged), a sentence each."""
    title = f"{score.suite} {score.metric} {score.value:.4g}"
    if wrong := _unusable(score):
        return [], [f"{title}: {wrong}"]
    missed, undecided = [], []
    for limit in limits:
        if limit.against and (wrong := _incomparable(score, other)):
            undecided.append(f"{title}: {wrong}")
            continue
        for found in _compared(score, other, limit, covariance):
            lower = _lower(found, limit.confidence)
            if lower is None or isnan(lower):
                undecided.append(f"{title}: one row has no standard error to be confident by")
            elif lower < -_ROUNDING:
                sure = f" with confidence {limit.confidence:g}" if limit.confidence else ""
                missed.append(f"{title}, {found.text}{sure} ({score.samples} samples)")
    return missed, undecided


def _unusable(score: Score) -> str | None:
    """Why a score says nothing, whatever its bounds are."""
    if score.incomplete:
        return f"{score.incomplete} samples got no answer"
    if not score.samples:
        return "no sample was scored"
    return None if isfinite(score.value) else "it is no number"


def _incomparable(score: Score, other: Score | None) -> str | None:
    if other is None:
        return "the baseline has no such score"
    if wrong := _unusable(other):
        return f"of the baseline {wrong}"
    if score.detail != other.detail:
        return f"measured over {score.detail}, and the baseline over {other.detail}"
    return None


def _compared(
    score: Score, other: Score | None, limit: Threshold, covariance: float
) -> Iterable[_Compared]:
    value, stderr = score.value, score.stderr
    if limit.min is not None:
        yield _Compared(value - limit.min, stderr, f"not at least {limit.min:g}")
    if limit.max is not None:
        yield _Compared(limit.max - value, stderr, f"not at most {limit.max:g}")
    if other is None:
        return
    if limit.max_drop is not None:
        both = _of_difference(stderr, other.stderr, 1, covariance)
        text = f"more than {limit.max_drop:g} below the baseline's {other.value:.4g}"
        yield _Compared(value - other.value + limit.max_drop, both, text)
    if limit.max_increase_percent is not None:
        factor = 1 + limit.max_increase_percent / 100
        text = f"more than {limit.max_increase_percent:g} % above the baseline's {other.value:.4g}"
        both = _of_difference(stderr, other.stderr, factor, covariance)
        yield _Compared(factor * other.value - value, both, text)


def _of_difference(
    stderr: float | None, other: float | None, factor: float, covariance: float
) -> float | None:
    """The standard error of ``factor`` times the baseline's score less the model's."""
    if stderr is None or other is None:
        return None
    return sqrt(max(0.0, stderr**2 + (factor * other) ** 2 - 2 * factor * covariance))


def _lower(found: _Compared, confidence: float | None) -> float | None:
    """The margin, or the lower end of its interval; None where that is not known."""
    if confidence is None:
        return found.margin
    if found.stderr is None:
        return None
    return found.margin - NormalDist().inv_cdf(confidence) * found.stderr
