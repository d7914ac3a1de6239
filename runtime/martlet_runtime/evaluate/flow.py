"""Evaluate: runs every suite against the engine and judges the scores by their thresholds."""

import difflib
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan, EvaluateResult, Plan, Termination
from martlet_api.evalrun import OWN_ROWS, PERPLEXITY, Score, Suite
from martlet_api.judge import Judge
from martlet_runtime import artifacts, data
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate import engine, judge, kept, perplexity, secret, suites, tokenize
from martlet_runtime.evaluate.measured import Answers, Measured
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

Rows = list[dict[str, Any]]

_WATCH_SECONDS = 2.0
_SHOWN = 300
_OF_PERPLEXITY, _OF_VALUES, _OF_ERRORS = 8, 5, 4
"""Digits that are told: EvalScope itself rounds to four places."""
_UNREADABLE = (ValueError, KeyError, TypeError, OSError, ImportError)
"""How EvalScope and datasets tell that a folder is not what a benchmark expects."""


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Scores of all suites, complete or not at all: a missing answer never makes a pass."""
    assert plan.evaluate is not None
    todo = plan.evaluate
    with secret.out_of_logs():
        return _run(plan, todo, paths, report)


def _run(plan: Plan, todo: EvaluatePlan, paths: Paths, report: Report) -> Termination:
    if done := kept.find(todo, paths):
        return _ended(done)
    if todo.output:
        artifacts.check_writable(paths, todo.output)
    rows = {suite.name: _rows(suite, plan, paths) for suite in todo.suites}
    judge.check(todo)
    engine.wait(todo.endpoint, todo.served_name, who=engine.named(todo))
    with _Watch(report, paths, rows) as watch:
        told = [(suite, _answered(suite, rows, todo, paths, watch)) for suite in todo.suites]
    result = _result(todo, told)
    samples = [sample for _, answers in told for sample in answers.samples]
    return _ended(kept.write(plan, todo, paths, result, samples))


def _result(todo: EvaluatePlan, told: list[tuple[Suite, Answers]]) -> EvaluateResult:
    scores = [(answers, scores_of(suite, answers, todo.judge)) for suite, answers in told]
    return EvaluateResult(
        subject=todo.subject,
        scores=[score for _, found in scores for score in found],
        incomplete=sum(
            max([answers.unscored, *(score.incomplete for score in found)])
            for answers, found in scores
        ),
        unjudged=sum(answers.unjudged for _, answers in told),
        errors=[error for _, answers in told for error in answers.errors],
    )


def _ended(result: EvaluateResult) -> Termination:
    # An earlier version kept the rows without an answer with each score alone.
    if lost := result.incomplete or sum(score.incomplete for score in result.scores):
        return _inconclusive(result, lost)
    return Termination(
        flow="evaluate",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"{len(result.scores)} scores.",
        evaluate=result,
    )


def _rows(suite: Suite, plan: Plan, paths: Paths) -> Rows | str | None:
    """Rows of one's own, a text, or None for a benchmark's folder, which EvalScope reads."""
    name = f"suite-{suite.name}"
    wanted = next(item for item in plan.inputs if item.name == name)
    if suite.benchmark == PERPLEXITY:
        return data.read_text(paths.inputs / name, wanted.uri)
    if suite.benchmark not in OWN_ROWS:
        return None
    return data.read_evaluation(
        paths.inputs / name, wanted.uri, suite.benchmark, wanted.max_samples
    )


def _answered(
    suite: Suite,
    rows: dict[str, Rows | str | None],
    todo: EvaluatePlan,
    paths: Paths,
    watch: "_Watch",
) -> Answers:
    found = rows[suite.name]
    if isinstance(found, str):
        tokens = _tokens(todo, paths, found)
        told = perplexity.measure(suite.name, todo, tokens, watch.windows)
        check_metrics(suite, told.measured)
        return told
    folder = suites.lay_out(suite, found, paths.inputs / f"suite-{suite.name}", paths.work)
    answers = _scored(suite, folder, todo, paths.work)
    if not answers.measured and not answers.unjudged:
        wrong = engine.problem(todo.endpoint, todo.served_name) or "no report was written"
        raise engine.failed(todo, f"gave no answers in suite {suite.name}: {wrong}")
    if not answers.unjudged:
        check_metrics(suite, answers.measured)
    return answers if found is None else replace(answers, rows=len(found))


def _tokens(todo: EvaluatePlan, paths: Paths, text: str) -> list[int]:
    """By the model's own tokenizer, or by the service that has it. Imported here: it needs
    torch."""
    if todo.service:
        return tokenize.tokens_of(todo, text)
    from martlet_runtime.loading import load_tokenizer
    from martlet_runtime.perplexity import tokens_of

    found: list[int] = tokens_of(load_tokenizer(paths, chats=False), text).tolist()
    return found


def _scored(suite: Suite, folder: Path, todo: EvaluatePlan, work: Path) -> Answers:
    """EvalScope's scores. Where a row gets no answer from a living engine, the others count."""
    from openai import OpenAIError

    try:
        return suites.read_report(suite, suites.score(suite, folder, todo, work))
    except OpenAIError as error:
        if wrong := engine.problem(todo.endpoint, todo.served_name):
            raise engine.failed(
                todo, f"stopped answering in suite {suite.name}: {wrong}"
            ) from error
        print(f"suite {suite.name}: {error}; asking once more, past such rows", flush=True)
        first = f"{suite.name}: {error}"
    except _UNREADABLE as error:
        if suite.benchmark in OWN_ROWS:
            raise
        raise UserError(
            Reason.DATASET_INVALID,
            f"Suite {suite.name}: EvalScope cannot score {suite.benchmark} with this data: "
            f"{str(error)[:_SHOWN]}. Bring the folder as the benchmark's repository has it, and "
            "name subsets that are in it.",
        ) from error
    output = suites.score(suite, folder, todo, work, past_errors=True)
    answers = suites.read_report(suite, output)
    return replace(answers, errors=(first[:_SHOWN], *answers.errors))


def scores_of(suite: Suite, answers: Answers, judged_by: Judge | None = None) -> list[Score]:
    """The metrics that thresholds name and the main one: a termination message has room for all of
    these (evalrun/room.py of the operator asks beforehand), not for whatever EvalScope reports."""
    asked = {threshold.metric for threshold in suite.thresholds}
    asked.add(suites.primary(suite, answers.measured) or "")
    by = f"judged by {judged_by.model}" if suite.is_judged and judged_by else None
    digits = _OF_PERPLEXITY if suite.benchmark == PERPLEXITY else _OF_VALUES
    return [
        Score(
            suite=suite.name,
            metric=figure.metric,
            value=_rounded(figure.value, digits),
            stderr=None if figure.stderr is None else _rounded(figure.stderr, _OF_ERRORS),
            detail=figure.detail or by,
            samples=figure.samples,
            incomplete=answers.incomplete(figure),
        )
        for figure in answers.measured
        if figure.metric in asked
    ]


def _rounded(value: float, digits: int) -> float:
    """To so many digits that count: a termination message is short."""
    return float(f"{value:.{digits}g}")


def check_metrics(suite: Suite, measured: list[Measured]) -> None:
    """MetricNotReported for a threshold on a metric that the suite does not have; Inconclusive
    where one is no number, which no bound could be compared with."""
    for figure in measured:
        if not math.isfinite(figure.value):
            raise UserError(
                Reason.INCONCLUSIVE,
                f"Suite {suite.name}: {figure.metric} is {figure.value}, so there is no verdict. "
                "Look at the engine's log: the model may give no numbers.",
            )
    names = sorted({figure.metric for figure in measured})
    for threshold in suite.thresholds:
        if threshold.metric not in names:
            near = difflib.get_close_matches(threshold.metric, names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UserError(
                Reason.METRIC_NOT_REPORTED,
                f"Suite {suite.name} ({suite.benchmark}) has no metric {threshold.metric}; it "
                f"reports {', '.join(names)}.{hint} Correct spec.suites[].thresholds[].metric.",
            )


def _inconclusive(result: EvaluateResult, lost: int) -> Termination:
    first = f" The first: {result.errors[0]}." if result.errors else ""
    return Termination(
        flow="evaluate",
        succeeded=False,
        reason=Reason.INCONCLUSIVE,
        message=(
            f"{_without(result, lost)}, so there is no verdict.{first} Look at the "
            f"{'engine' if lost > result.unjudged else 'judge'}'s log, then set a new spec.retry."
        ),
        evaluate=result,
    )


def _without(result: EvaluateResult, lost: int) -> str:
    """How many rows have no score, and for want of what."""
    of = " of the baseline" if result.subject == "Baseline" else ""
    unanswered = lost - result.unjudged
    parts = [
        f"{unanswered} samples{of} got no answer" if unanswered else "",
        f"{result.unjudged} samples{of} got no judgement" if result.unjudged else "",
    ]
    return " and ".join(filter(None, parts))


class _Watch:
    """Counts the answers while EvalScope works, for the metrics page: rows on disk, and windows of
    texts. How many rows a benchmark's folder has is known once they are answered."""

    def __init__(self, report: Report, paths: Paths, rows: dict[str, Rows | str | None]) -> None:
        self._report, self._runs = report, paths.work / "runs"
        self._rows = sum(len(found) for found in rows.values() if isinstance(found, list))
        self._windows = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Watch":
        self._count()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._count()

    def windows(self, done: int) -> None:
        self._windows = done

    def _watch(self) -> None:
        while not self._stop.wait(_WATCH_SECONDS):
            self._count()

    def _count(self) -> None:
        done = sum(suites.reviewed(run) for run in self._runs.glob("*"))
        total = max(done, self._rows) + self._windows
        self._report.evaluate(done + self._windows, total)
