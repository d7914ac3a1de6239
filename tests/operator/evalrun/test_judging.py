"""Scores against bounds of their own and against the baseline's, and how sure one must be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_builders import digest, spec_of

from martlet_api.evalrun import EvalRunSpec, Measured, Score
from martlet_operator.evalrun.judging import judge

AGAINST = {"against": "Baseline"}


def spec(*limits: dict[str, Any]) -> EvalRunSpec:
    suite = {"name": "s", "benchmark": "general_qa", "dataset": {"uri": "pvc://d/t.jsonl"}}
    thresholds = [{"metric": "m", **limit} for limit in limits]
    fields = spec_of("EvalRun", suites=[{**suite, "thresholds": thresholds}])
    return EvalRunSpec.model_validate({**fields, "baseline": {"uri": "pvc://d/base"}})


def scored(value: float, stderr: float | None = 0.02, **more: Any) -> Measured:
    score = Score(suite="s", metric="m", value=value, stderr=stderr, samples=100, **more)
    return Measured(key=digest("k"), model_digest=digest("m"), scores=[score], at="now", by="us")


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
