"""Scores against bounds of their own and against the baseline's, and how sure one must be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_builders import NOW, digest, spec_of

from martlet_api.conditions import Reason
from martlet_api.evalrun import EvalRunSpec, EvalRunStatus, Measured, Score, Threshold
from martlet_operator.evalrun.judging import judge
from martlet_operator.evalrun.status import outcome

AGAINST = {"against": "Baseline"}


def spec(*limits: dict[str, Any]) -> EvalRunSpec:
    suite = {"name": "s", "benchmark": "general_qa", "dataset": {"uri": "pvc://d/t.jsonl"}}
    thresholds = [{"metric": "m", **limit} for limit in limits]
    fields = spec_of("EvalRun", suites=[{**suite, "thresholds": thresholds}])
    return EvalRunSpec.model_validate({**fields, "baseline": {"uri": "pvc://d/base"}})


def scored(value: float, stderr: float | None = 0.02, **more: Any) -> Measured:
    score = Score(suite="s", metric="m", value=value, stderr=stderr, samples=100, **more)
    return Measured(key=digest("k"), model_digest=digest("m"), scores=[score], at="now", by="us")


def of_metric(metric: str) -> Measured:
    found = scored(0.9)
    (score,) = found.scores
    return found.model_copy(update={"scores": [score.model_copy(update={"metric": metric})]})


def unscored() -> Measured:
    return scored(0.9).model_copy(update={"scores": []})


@pytest.mark.parametrize(
    ("limits", "value", "baseline", "passed"),
    [
        ([], 0.5, None, None),
        ([{"min": 0.5}], 0.5, None, True),
        ([{"min": 0.5}], 0.49, None, False),
        ([{"max": 0.5}], 0.51, None, False),
        ([{"min": 0.2, "max": 0.6}], 0.4, None, True),
        ([{"min": 0.2}, {"min": 0.8}], 0.5, None, False),
        ([{"maxDrop": 0.02, **AGAINST}], 0.48, 0.5, True),
        ([{"maxDrop": 0.02, **AGAINST}], 0.47, 0.5, False),
        ([{"maxIncreasePercent": 5, **AGAINST}], 10.5, 10.0, True),
        ([{"maxIncreasePercent": 5, **AGAINST}], 10.51, 10.0, False),
        # 1.645 standard errors of 0.02 are 0.033.
        ([{"min": 0.5, "confidence": 0.95}], 0.53, None, False),
        ([{"min": 0.5, "confidence": 0.95}], 0.54, None, True),
        ([{"max": 0.5, "confidence": 0.95}], 0.47, None, False),
        ([{"max": 0.5, "confidence": 0.95}], 0.46, None, True),
        # Of the difference 0.047.
        ([{"maxDrop": 0.05, "confidence": 0.95, **AGAINST}], 0.49, 0.5, False),
        ([{"maxDrop": 0.06, "confidence": 0.95, **AGAINST}], 0.49, 0.5, True),
        ([{"maxIncreasePercent": 0.4, "confidence": 0.95, **AGAINST}], 10.0, 10.0, False),
        ([{"maxIncreasePercent": 0.5, "confidence": 0.95, **AGAINST}], 10.0, 10.0, True),
    ],
)
def test_bounds(
    limits: list[dict[str, Any]], value: float, baseline: float | None, passed: bool | None
) -> None:
    other = None if baseline is None else scored(baseline)
    found = judge(spec(*limits), scored(value), other)
    (score,) = found.scores
    assert (score.passed, score.baseline) == (passed, baseline)
    assert bool(found.missed) is (passed is False)
    assert found.undecided == []


def test_what_was_missed_is_told_with_its_numbers() -> None:
    limit = {"maxDrop": 0.02, "confidence": 0.95, **AGAINST}
    found = judge(spec(limit), scored(0.4), scored(0.5))
    assert found.missed == [
        "s m 0.4, more than 0.02 below the baseline's 0.5 with confidence 0.95 (100 samples)"
    ]


@pytest.mark.parametrize(
    ("limit", "own", "other", "told"),
    [
        ({"min": 0.1, "confidence": 0.9}, scored(0.5, None), None, "no standard error"),
        ({"maxDrop": 1, **AGAINST}, scored(0.5), None, "the baseline has no such score"),
        ({"maxDrop": 1, **AGAINST}, scored(0.5, detail="9 tokens"), scored(0.5, detail="8 tokens"),
         "measured over 9 tokens, and the baseline over 8 tokens"),
        ({"maxDrop": 1, "confidence": 0.9, **AGAINST}, scored(0.5), scored(0.5, None),
         "no standard error"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_passes_nothing(
    limit: dict[str, Any], own: Measured, other: Measured | None, told: str
) -> None:
    found = judge(spec(limit), own, other)
    (text,) = found.undecided
    assert told in text
    assert found.scores[0].passed is False


@given(
    st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0, 0.5), st.floats(0, 0.5),
    st.floats(0.51, 0.999), st.floats(0, 50),
)  # fmt: skip
def test_who_must_be_sure_passes_less(
    value: float, base: float, own: float, other: float, confidence: float, percent: float
) -> None:
    """A bound that is kept with confidence is kept; more confidence never passes more."""
    limit = {"maxIncreasePercent": percent, **AGAINST}
    point, sure, surer = (
        judge(spec({**limit, **more}), scored(value, own), scored(base, other)).scores[0].passed
        for more in ({}, {"confidence": confidence}, {"confidence": (1 + confidence) / 2})
    )
    assert point or not sure
    assert sure or not surer


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        (scored(0.9, incomplete=3), scored(0.5), "s m 0.9: 3 samples got no answer"),
        (scored(float("nan")), scored(0.5), "s m nan: it is no number"),
        (scored(0.9, float("nan")), scored(0.5), "no standard error"),
        (scored(0.9), scored(0.5, incomplete=1), "of the baseline 1 samples got no answer"),
        (scored(0.9), scored(float("inf")), "of the baseline it is no number"),
        (of_metric("other"), scored(0.5), "s has no metric m"),
        (unscored(), scored(0.5), "s has no score"),
        (scored(0.9), None, "the baseline has no such score"),
        (scored(0.9), unscored(), "the baseline has no such score"),
    ],
)
def test_nothing_passes_by_what_is_not_there(
    own: Measured, other: Measured | None, told: str
) -> None:
    limits = ({"min": 0.1, "confidence": 0.9}, {"maxDrop": 0.5, **AGAINST})
    found = judge(spec(*limits), own, other)
    assert any(told in text for text in found.undecided), found.undecided
    assert not any(score.passed for score in found.scores)


NAMES = st.sampled_from(["a", "b"])
METRICS = st.sampled_from(["m", "n"])
LIMITS = st.one_of(
    st.fixed_dictionaries({"min": st.just(-1)}, optional={"confidence": st.just(0.6)}),
    st.fixed_dictionaries(
        {"maxDrop": st.just(9), **{key: st.just(value) for key, value in AGAINST.items()}},
        optional={"confidence": st.just(0.6)},
    ),
)
"""Bounds that any score keeps, if it is one."""
SCORES = st.builds(
    Score,
    suite=NAMES,
    metric=METRICS,
    value=st.floats(0, 1) | st.sampled_from([math.nan, math.inf]),
    stderr=st.none() | st.floats(0, 0.1),
    detail=st.none() | st.sampled_from(["8 tokens", "9 tokens"]),
    samples=st.integers(0, 5),
    incomplete=st.integers(0, 2),
)
MEASURED = st.lists(SCORES, max_size=5, unique_by=lambda score: (score.suite, score.metric)).map(
    lambda scores: Measured(
        key=digest("k"), model_digest=digest("m"), scores=scores, at="now", by="us"
    )
)
SUITES = st.lists(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "benchmark": st.just("general_qa"),
            "dataset": st.just({"uri": "pvc://d/t.jsonl"}),
            "thresholds": st.lists(
                st.tuples(METRICS, LIMITS).map(lambda both: {"metric": both[0], **both[1]}),
                max_size=3,
            ),
        }
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda suite: suite["name"],
)


@settings(deadline=None)
@given(SUITES, MEASURED, st.none() | MEASURED)
def test_there_is_no_pass_on_partial_data(
    suites: list[dict[str, Any]], measured: Measured, baseline: Measured | None
) -> None:
    """With any sample lost, any suite unscored, or any threshold that could not be judged."""
    fields = {**spec_of("EvalRun", suites=suites), "baseline": {"uri": "pvc://d/base"}}
    wanted = EvalRunSpec.model_validate(fields)
    status = EvalRunStatus(measured=measured, baseline=baseline)
    ended = outcome(wanted, status, NOW)
    own = {(score.suite, score.metric): score for score in measured.scores}
    former = {(s.suite, s.metric): s for s in (baseline.scores if baseline else [])}
    whole = all(usable(score) for score in measured.scores) and all(
        any(score.suite == suite.name for score in measured.scores) for suite in wanted.suites
    )
    judged = all(
        can_be_judged(limit, own.get((suite.name, limit.metric)), former)
        for suite in wanted.suites
        for limit in suite.thresholds
    )
    passed = ended.update.get("verdict") is not None and ended.update["verdict"].passed
    assert passed == (ended.ready.status == "True") == (whole and judged)
    assert "verdict" in ended.update or ended.ready.reason == Reason.INCONCLUSIVE


def usable(score: Score) -> bool:
    return score.incomplete == 0 and score.samples > 0 and math.isfinite(score.value)


def can_be_judged(
    limit: Threshold, score: Score | None, former: dict[tuple[str, str], Score]
) -> bool:
    if score is None or not usable(score):
        return False
    compared = [score]
    if limit.against:
        other = former.get((score.suite, score.metric))
        if other is None or not usable(other) or other.detail != score.detail:
            return False
        compared.append(other)
    return not limit.confidence or all(item.stderr is not None for item in compared)
