"""EvalScope, really run, against an engine whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Input, OutputPlan, Plan, Termination
from martlet_api.evalrun import Generation, Suite
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import flow, kept, samples, suites
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch

Pod = Callable[..., Paths]
QA = [{"query": f"Where is number {n}?", "response": f"place{n}"} for n in range(8)]
MCQ = [
    {"question": f"Which is number {n}?", "A": "one", "B": "two", "answer": "AB"[n % 2]}
    for n in range(8)
]


def suite(name: str, benchmark: str, *thresholds: dict[str, Any]) -> Suite:
    uri = f"pvc://data/{name}.jsonl"
    fields = {"name": name, "benchmark": benchmark, "thresholds": thresholds}
    return Suite.model_validate({**fields, "dataset": {"uri": uri}})


class Scoring:
    def __init__(self, engine: Any, pod: Pod, folder: Path) -> None:
        self.engine, self.pod, self.folder = engine, pod, folder
        self.report = Report()
        self.output: OutputPlan | None = None
        self.service: str | None = None

    def run(self, *suites: tuple[Suite, list[dict[str, Any]]]) -> Termination:
        files, inputs = {}, []
        for each, rows in suites:
            path = self.folder / f"{each.name}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
            files[f"suite_{each.name}"] = path
            inputs.append(
                Input(
                    name=f"suite-{each.name}",
                    kind="Dataset",
                    uri=f"pvc://data/{path.name}",
                    benchmark=each.benchmark,
                )
            )
        evaluate = self.engine.plan(
            *(each for each, _ in suites),
            generation=Generation(temperature=0, max_tokens=7, seed=3),
            output=self.output,
            service=self.service,
        )
        plan = Plan(
            kind="EvalRun", namespace="n", name="e", run="r", inputs=inputs, evaluate=evaluate
        )
        paths = self.pod(**files)
        self.volumes = paths.volumes
        return flow.run(plan, paths, self.report)


@pytest.fixture
def scoring(engine: Any, pod: Pod, tmp_path: Path) -> Scoring:
    return Scoring(engine, pod, tmp_path)


def gauges(registry: CollectorRegistry) -> dict[str, float]:
    return {s.name: s.value for family in registry.collect() for s in family.samples}


def test_suites_are_scored_by_the_answers(scoring: Scoring) -> None:
    right = {f"number {n}?": f"place{n}" for n in range(6)}
    scoring.engine.answers = {f"Where is {q}": a for q, a in right.items()} | {"Which": "ANSWER: A"}
    ended = scoring.run(
        (suite("places", "general_qa", {"metric": "Rouge-L-R", "min": 0.7}), QA),
        (suite("letters", "general_mcq", {"metric": "mean_acc", "min": 0.9}), MCQ),
    )
    assert ended.succeeded
    assert ended.evaluate is not None
    told = [(s.suite, s.metric, s.value, s.samples) for s in ended.evaluate.scores]
    assert told == [("places", "Rouge-L-R", 0.75, 8), ("letters", "mean_acc", 0.5, 8)]
    # The sample standard deviation of six ones and two noughts, and of four and four.
    errors = [score.stderr for score in ended.evaluate.scores]
    assert errors == pytest.approx([(1.5 / 7 / 8) ** 0.5, (2 / 7 / 8) ** 0.5], rel=1e-3)


def test_the_engine_is_asked_as_the_spec_says(scoring: Scoring) -> None:
    scoring.run((suite("places", "general_qa"), QA))
    assert len(scoring.engine.asked) == len(QA)
    for body in scoring.engine.asked:
        assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == (
            "m", 0, 7, 3,
        )  # fmt: skip


def test_the_samples_are_on_the_metrics_page(scoring: Scoring) -> None:
    scoring.run((suite("places", "general_qa"), QA))
    assert gauges(scoring.report.registry)[contract.METRIC_TOTAL_SAMPLES] == len(QA)
    assert gauges(scoring.report.registry)[contract.METRIC_SAMPLES] == len(QA)


def test_a_sample_without_an_answer_makes_no_verdict(scoring: Scoring) -> None:
    scoring.engine.answers = {q["query"]: q["response"] for q in QA}
    scoring.engine.refused = QA[3]["query"]
    ended = scoring.run((suite("places", "general_qa", {"metric": "Rouge-L-R", "min": 0.5}), QA))
    assert not ended.succeeded
    assert ended.reason == Reason.INCONCLUSIVE
    assert ended.evaluate is not None
    assert [s.incomplete for s in ended.evaluate.scores] == [1]
    assert "this is refused" in ended.message
    assert "1 samples got no answer" in ended.message


def test_one_suite_s_lost_row_leaves_all_suites_without_a_verdict(scoring: Scoring) -> None:
    scoring.engine.answers = {q["query"]: q["response"] for q in QA} | {"Which": "ANSWER: A"}
    scoring.engine.refused = MCQ[5]["question"]
    ended = scoring.run((suite("places", "general_qa"), QA), (suite("letters", "general_mcq"), MCQ))
    assert (ended.succeeded, ended.reason) == (False, Reason.INCONCLUSIVE)
    assert ended.evaluate is not None
    found = [(s.suite, s.value, s.samples, s.incomplete) for s in ended.evaluate.scores]
    assert found == [("places", 1, 8, 0), ("letters", pytest.approx(4 / 7, abs=1e-4), 7, 1)]


def test_rows_and_their_suite_s_score_have_one_name(scoring: Scoring) -> None:
    scoring.engine.answers = {"Which": "ANSWER: A"}
    scoring.output = OutputPlan(uri="pvc://out/e/r", record={})
    ended = scoring.run((suite("places", "general_qa"), QA), (suite("letters", "general_mcq"), MCQ))
    assert ended.evaluate is not None
    rows = list(samples.read(scoring.volumes / "out/e/r" / samples.FILE))
    for score in ended.evaluate.scores:
        own = [row.scores[score.metric] for row in rows if row.suite == score.suite]
        assert sum(own) / len(own) == pytest.approx(score.value, abs=1e-4)


def test_kept_scores_that_were_changed_make_no_verdict(scoring: Scoring) -> None:
    """An attempt whose message was lost would tell what somebody wrote since."""
    scoring.output = OutputPlan(uri="pvc://out/e/r", record={})
    scoring.run((suite("places", "general_qa"), QA))
    path = scoring.volumes / "out/e/r" / kept.SCORES
    path.write_text(path.read_text().replace('"value":0.0', '"value":1.0'))
    with pytest.raises(UserError) as caught:
        scoring.run((suite("places", "general_qa"), QA))
    assert caught.value.reason == Reason.DIGEST_MISMATCH
    assert "scores.json in pvc://out/e/r was changed" in caught.value.message


def test_every_row_is_kept_and_a_second_attempt_scores_nothing_again(scoring: Scoring) -> None:
    scoring.engine.answers = {q["query"]: q["response"] for q in QA[:6]}
    scoring.output = OutputPlan(uri="pvc://out/e/r", record={"owner": "us"})
    ended = scoring.run((suite("places", "general_qa"), QA))
    assert ended.evaluate is not None
    assert ended.evaluate.artifact is not None
    folder = scoring.volumes / "out/e/r"
    rows = list(samples.read(folder / samples.FILE))
    assert [row.id for row in rows] == [f"example/{n}" for n in range(8)]
    assert [row.scores["Rouge-L-R"] for row in rows] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert (rows[0].asked, rows[0].answer, rows[0].target) == (
        QA[0]["query"], "place0", "place0",
    )  # fmt: skip
    assert QA[7]["query"] in (folder / "report.html").read_text()
    asked = len(scoring.engine.asked)
    again = scoring.run((suite("places", "general_qa"), QA))
    assert again.evaluate == ended.evaluate
    assert len(scoring.engine.asked) == asked


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "_PAUSE_SECONDS", 0)


@pytest.mark.usefixtures("impatient")
def test_an_engine_that_dies_half_way_is_worth_another_try(scoring: Scoring) -> None:
    scoring.engine.dies_after = 3
    with pytest.raises(RetryableError) as caught:
        scoring.run((suite("places", "general_qa"), QA))
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert caught.value.message.startswith("The engine stopped answering in suite places")


@pytest.mark.usefixtures("impatient")
def test_a_service_that_stops_half_way_is_named(scoring: Scoring) -> None:
    scoring.engine.dies_after = 3
    scoring.service = "InferenceService/chat (revision chat-1)"
    with pytest.raises(RetryableError) as caught:
        scoring.run((suite("places", "general_qa"), QA))
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert caught.value.message.startswith(f"{scoring.service} stopped answering in suite places")


def test_an_engine_that_refuses_every_question_is_told(scoring: Scoring) -> None:
    scoring.engine.refused = "Where"
    with pytest.raises(RetryableError) as caught:
        scoring.run((suite("places", "general_qa"), QA))
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert "gave no answers in suite places" in caught.value.message


def test_a_threshold_on_an_unknown_metric_names_those_that_are_reported(scoring: Scoring) -> None:
    with pytest.raises(UserError) as caught:
        scoring.run((suite("places", "general_qa", {"metric": "Rouge-X", "min": 0.5}), QA))
    assert caught.value.reason == Reason.METRIC_NOT_REPORTED
    assert "it reports Rouge-1-F, Rouge-1-P" in caught.value.message
    assert "Did you mean Rouge-" in caught.value.message


def test_a_broken_row_is_told_before_the_engine_is_waited_for(scoring: Scoring) -> None:
    scoring.engine.down = True
    with pytest.raises(UserError) as caught:
        scoring.run((suite("places", "general_qa"), [*QA, {"query": "no answer"}]))
    assert "places.jsonl:9:" in caught.value.message
