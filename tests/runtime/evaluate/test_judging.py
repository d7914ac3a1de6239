"""Scores against thresholds, and EvalScope's names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_api.evalrun import Suite, Threshold
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate.flow import check_metrics, is_told, judge
from martlet_runtime.evaluate.suites import Measured, name_of, read_report, reviewed


def suite(*thresholds: Threshold, benchmark: str = "general_mcq") -> Suite:
    fields: dict[str, Any] = {
        "name": "s",
        "benchmark": benchmark,
        "dataset": {"uri": "pvc://data/test.jsonl"},
        "thresholds": thresholds,
    }
    return Suite.model_validate(fields)


def bound(metric: str = "mean_acc", **limits: float) -> Threshold:
    return Threshold(metric=metric, **limits)


@pytest.mark.parametrize(
    ("limits", "value", "passed"),
    [
        ([], 0.5, None),
        ([bound(min=0.5)], 0.5, True),
        ([bound(min=0.5)], 0.49, False),
        ([bound(max=0.5)], 0.5, True),
        ([bound(max=0.5)], 0.51, False),
        ([bound(min=0.2, max=0.6)], 0.4, True),
        ([bound(min=0.2, max=0.6)], 0.1, False),
        ([bound(min=0.2), bound(min=0.8)], 0.5, False),
        ([bound("other", min=0.9)], 0.5, None),
    ],
)
def test_a_score_keeps_every_threshold_on_its_metric(
    limits: list[Threshold], value: float, passed: bool | None
) -> None:
    score = judge(suite(*limits), Measured("mean_acc", value, 10), rows=10, answered=10)
    assert score.passed is passed
    assert score.incomplete == 0


@pytest.mark.parametrize(
    ("rows", "scored", "answered", "incomplete"),
    [(10, 10, 10, 0), (10, 9, 10, 1), (10, 10, 7, 3), (10, 8, 7, 3), (10, 12, 12, 0)],
)
def test_rows_without_an_answer_are_counted_and_never_pass(
    rows: int, scored: int, answered: int, incomplete: int
) -> None:
    score = judge(suite(bound(min=0)), Measured("mean_acc", 1.0, scored), rows, answered)
    assert score.incomplete == incomplete
    assert score.passed is (incomplete == 0)


def test_a_threshold_on_a_metric_that_is_not_there_names_those_that_are() -> None:
    figures = [Measured("mean_acc", 1.0, 3), Measured("std", 0.0, 3)]
    with pytest.raises(UserError) as caught:
        check_metrics(suite(bound("accuracy", min=0.5)), figures)
    assert caught.value.reason == Reason.METRIC_NOT_REPORTED
    assert "accuracy; it reports mean_acc, std" in caught.value.message


def test_thresholds_on_metrics_that_are_there_pass_the_check() -> None:
    check_metrics(suite(bound(min=0.5)), [Measured("mean_acc", 0.0, 3)])


@pytest.mark.parametrize(
    ("metric", "told"), [("Rouge-L-R", True), ("Rouge-1-P", True), ("Rouge-2-F", False)]
)
def test_the_main_metric_is_told_and_those_with_a_threshold(metric: str, told: bool) -> None:
    wanted = suite(bound("Rouge-1-P", min=0), benchmark="general_qa")
    assert is_told(wanted, Measured(metric, 0.5, 3)) is told


def rouge(statistic: str, **kind: str) -> dict[str, Any]:
    return {"identity": {"name": "rouge", "dimensions": {"statistic": statistic, **kind}}}


ACCURACY = {"identity": {"name": "acc", "aggregation": "mean"}, "score": 0.75, "num": 4}


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (ACCURACY, "mean_acc"),
        (rouge("recall", variant="l"), "Rouge-L-R"),
        (rouge("precision", ngram="1"), "Rouge-1-P"),
        ({**ACCURACY, "legacy_name": "AverageAccuracy"}, "AverageAccuracy"),
    ],
)
def test_metrics_have_the_names_that_evalscopes_users_know(
    metric: dict[str, Any], name: str
) -> None:
    assert name_of(metric) == name


def test_a_report_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "reports/model/general_mcq.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema_version": 2, "metrics": [ACCURACY]}))
    assert list(read_report(tmp_path)) == [Measured("mean_acc", 0.75, 4)]


def test_no_report_has_no_metrics_and_no_answers(tmp_path: Path) -> None:
    assert list(read_report(tmp_path)) == []
    assert reviewed(tmp_path) == 0
