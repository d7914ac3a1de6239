"""Evaluate: runs every suite against the engine and judges the scores by their thresholds."""

import threading
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan, EvaluateResult, Plan, Termination
from martlet_api.evalrun import Score, Suite
from martlet_runtime import data
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import engine, suites
from martlet_runtime.evaluate.suites import Measured
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

Rows = list[dict[str, Any]]

_WATCH_SECONDS = 2.0


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Scores of all suites, complete or not at all: a missing answer never makes a pass."""
    assert plan.evaluate is not None
    todo = plan.evaluate
    rows = {suite.name: _rows(suite, plan, paths) for suite in todo.suites}
    engine.wait(todo.endpoint, todo.served_name)
    with _Watch(report, paths, rows):
        scores = [score for suite in todo.suites for score in _suite(suite, rows, todo, paths)]
    result = EvaluateResult(scores=scores)
    if lost := sum(score.incomplete for score in scores):
        return _inconclusive(result, lost)
    return Termination(
        flow="evaluate",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"{len(scores)} scores.",
        evaluate=result,
    )


def _rows(suite: Suite, plan: Plan, paths: Paths) -> Rows:
    name = f"suite-{suite.name}"
    wanted = next(item for item in plan.inputs if item.name == name)
    return data.read_evaluation(
        paths.inputs / name, wanted.uri, suite.benchmark, wanted.max_samples
    )


def _suite(suite: Suite, rows: dict[str, Rows], todo: EvaluatePlan, paths: Paths) -> list[Score]:
    output = _answers(suite, rows[suite.name], todo, paths.work)
    measured = list(suites.read_report(output))
    if not measured:
        wrong = engine.problem(todo.endpoint, todo.served_name) or "no report was written"
        raise RetryableError(
            Reason.ENGINE_FAILED, f"Suite {suite.name} gave no scores: {wrong}. It is tried again."
        )
    answered = suites.reviewed(output)
    check_metrics(suite, measured)
    return [
        judge(suite, figure, len(rows[suite.name]), answered)
        for figure in measured
        if is_told(suite, figure)
    ]


def _answers(suite: Suite, rows: Rows, todo: EvaluatePlan, work: Path) -> Path:
    """EvalScope's output. Where a row gets no answer from a living engine, the others count."""
    from openai import OpenAIError

    try:
        return suites.score(suite, rows, todo, work)
    except OpenAIError as error:
        if wrong := engine.problem(todo.endpoint, todo.served_name):
            raise RetryableError(
                Reason.ENGINE_FAILED,
                f"The engine stopped answering in suite {suite.name}: {wrong}. It is tried again.",
            ) from error
        print(f"suite {suite.name}: {error}; asking once more, past such rows", flush=True)
    return suites.score(suite, rows, todo, work, past_errors=True)


def is_told(suite: Suite, figure: Measured) -> bool:
    """A termination message has room for the metrics that matter, not for all of them."""
    asked = {threshold.metric for threshold in suite.thresholds}
    return figure.metric in asked | {suites.PRIMARY[suite.benchmark]}


def check_metrics(suite: Suite, measured: list[Measured]) -> None:
    """MetricNotReported for a threshold on a metric that the suite does not have."""
    names = sorted({figure.metric for figure in measured})
    for threshold in suite.thresholds:
        if threshold.metric not in names:
            raise UserError(
                Reason.METRIC_NOT_REPORTED,
                f"Suite {suite.name} ({suite.benchmark}) has no metric {threshold.metric}; it "
                f"reports {', '.join(names)}. Correct spec.suites[].thresholds[].metric.",
            )


def judge(suite: Suite, figure: Measured, rows: int, answered: int) -> Score:
    """A score and whether it keeps every threshold on it; rows without an answer are counted."""
    limits = [limit for limit in suite.thresholds if limit.metric == figure.metric]
    kept = all(
        (limit.min is None or figure.value >= limit.min)
        and (limit.max is None or figure.value <= limit.max)
        for limit in limits
    )
    incomplete = max(0, rows - min(figure.samples, answered))
    return Score(
        suite=suite.name,
        metric=figure.metric,
        value=figure.value,
        samples=figure.samples,
        incomplete=incomplete,
        passed=kept and not incomplete if limits else None,
    )


def _inconclusive(result: EvaluateResult, lost: int) -> Termination:
    return Termination(
        flow="evaluate",
        succeeded=False,
        reason=Reason.INCONCLUSIVE,
        message=(
            f"{lost} samples got no answer, so there is no verdict. Look at the engine's log, "
            "then set a new spec.retry."
        ),
        evaluate=result,
    )


class _Watch:
    """Counts the answers on disk while EvalScope works, for the metrics page."""

    def __init__(self, report: Report, paths: Paths, rows: dict[str, Rows]) -> None:
        self._report, self._runs = report, paths.work / "runs"
        self._total = sum(map(len, rows.values()))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._report.evaluate(0, self._total)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._count()

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            self._count()

    def _count(self) -> None:
        done = sum(suites.reviewed(run) for run in self._runs.glob("*"))
        self._report.evaluate(min(done, self._total), self._total)
