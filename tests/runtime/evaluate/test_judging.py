"""Figures of suites, and EvalScope's names."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_api.evalrun import Suite, Threshold
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate.flow import check_metrics, scores_of
from martlet_runtime.evaluate.measured import Answers, Measured, stderr_of_mean
from martlet_runtime.evaluate.pairing import pairings, pairs_of
from martlet_runtime.evaluate.samples import Sample, digest
from martlet_runtime.evaluate.suites import name_of, read_report, reviewed


def suite(*thresholds: Threshold, benchmark: str = "general_mcq") -> Suite:
    fields: dict[str, Any] = {
        "name": "s",
        "benchmark": benchmark,
        "dataset": {"uri": "pvc://data/test.jsonl"},
        "thresholds": thresholds,
    }
    return Suite.model_validate(fields)


def sample() -> Sample:
    return Sample("s", "1", "Which?", digest("Which?"), "A", "B")


def bound(metric: str = "mean_acc", **limits: float) -> Threshold:
    return Threshold(metric=metric, **limits)


@pytest.mark.parametrize(
    ("rows", "scored", "answered", "incomplete"),
    [(10, 10, 10, 0), (10, 9, 10, 1), (10, 10, 7, 3), (10, 8, 7, 3), (10, 12, 12, 0)],
)
def test_rows_without_an_answer_or_the_metric_are_counted(
    rows: int, scored: int, answered: int, incomplete: int
) -> None:
    answers = Answers([Measured("mean_acc", 1.0, scored)], rows, [sample()] * answered)
    (score,) = scores_of(suite(), answers)
    assert score.incomplete == incomplete
    assert score.passed is None


@pytest.mark.parametrize(
    ("values", "stderr"), [([1.0], None), ([1.0, 1.0], 0), ([0.0, 1.0, 0.0, 1.0], 0.2886751)]
)
def test_the_standard_error_of_a_mean(values: list[float], stderr: float | None) -> None:
    found = stderr_of_mean(values)
    assert found == (None if stderr is None else pytest.approx(stderr, rel=1e-6))


def test_a_threshold_on_a_metric_that_is_not_there_names_those_that_are() -> None:
    figures = [Measured("mean_acc", 1.0, 3), Measured("std", 0.0, 3)]
    with pytest.raises(UserError) as caught:
        check_metrics(suite(bound("accuracy", min=0.5)), figures)
    assert caught.value.reason == Reason.METRIC_NOT_REPORTED
    assert "accuracy; it reports mean_acc, std" in caught.value.message


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_makes_no_verdict(value: float) -> None:
    with pytest.raises(UserError, match=r"Suite s: mean_acc is (nan|inf), so there is") as caught:
        check_metrics(suite(), [Measured("mean_acc", value, 3)])
    assert caught.value.reason == Reason.INCONCLUSIVE


def test_thresholds_on_metrics_that_are_there_pass_the_check() -> None:
    check_metrics(suite(bound(min=0.5)), [Measured("mean_acc", 0.0, 3)])


@pytest.mark.parametrize(
    ("benchmark", "limits", "told"),
    [
        ("general_qa", [bound("Rouge-1-P", min=0)], ["Rouge-1-P", "Rouge-L-R"]),
        ("general_qa", [], ["Rouge-L-R"]),
        ("ceval", [], ["Rouge-1-P"]),
    ],
)
def test_the_main_metric_is_told_and_those_with_a_threshold(
    benchmark: str, limits: list[Threshold], told: list[str]
) -> None:
    figures = [Measured(name, 0.5, 3) for name in ("Rouge-1-P", "Rouge-2-F", "Rouge-L-R")]
    found = scores_of(suite(*limits, benchmark=benchmark), Answers(figures, 3, [sample()] * 3))
    assert [score.metric for score in found] == told


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


def review(root: Path, *scores: float) -> None:
    path = root / "reviews/model/general_mcq_example.jsonl"
    path.parent.mkdir(parents=True)
    turns = [("system", "Be brief."), ("user", "Which?"), ("assistant", "A")]
    rows = [
        {
            "index": number,
            "target": ["B"],
            "messages": [{"role": role, "content": text} for role, text in turns],
            "sample_score": {"sample_id": number, "score": {"value": {"acc": score}}},
        }
        for number, score in enumerate(scores)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def report(root: Path, **more: Any) -> None:
    path = root / "reports/model/general_mcq.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema_version": 2, "metrics": [ACCURACY], **more}))


def test_a_report_is_read_back_with_the_error_of_its_mean(tmp_path: Path) -> None:
    report(tmp_path, execution_summary={"requested": 5, "succeeded": 4})
    review(tmp_path, 1, 1, 0, 1)
    found = read_report(suite(), tmp_path)
    assert (found.rows, len(found.samples)) == (5, 4)
    assert found.samples[0] == Sample(
        "s", "example/0", "Which?", digest(["Be brief.", "Which?"]), "A", "B", {"mean_acc": 1.0}
    )
    (figure,) = found.measured
    assert (figure.metric, figure.value, figure.samples, figure.stderr) == (
        "mean_acc", 0.75, 4, pytest.approx(0.25),
    )  # fmt: skip


def test_a_score_that_is_no_mean_of_its_rows_has_no_standard_error(tmp_path: Path) -> None:
    report(tmp_path)
    review(tmp_path, 1, 0)
    found = read_report(suite(), tmp_path)
    assert found.measured == [Measured("mean_acc", 0.75, 4)]
    assert [sample.scores for sample in found.samples] == [{"acc": 1}, {"acc": 0}]


def test_rows_are_compared_by_the_names_that_scores_are_told_by(tmp_path: Path) -> None:
    """Else nothing would be known of how two models' rows go together."""
    report(tmp_path)
    review(tmp_path, 1, 1, 0, 1)
    found = read_report(suite(), tmp_path)
    (score,) = scores_of(suite(), found)
    (pairing,) = pairings(pairs_of(found.samples, found.samples))
    assert (pairing.suite, pairing.metric) == (score.suite, score.metric)


def test_no_report_has_no_metrics_and_no_answers(tmp_path: Path) -> None:
    assert read_report(suite(), tmp_path) == Answers([], 0, [])
    assert reviewed(tmp_path) == 0
