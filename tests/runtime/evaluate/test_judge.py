"""Answers that a judge scores: EvalScope, really run, against an engine and a judge that are known.
What is judged is judged well, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from martlet_api import benchmarks
from martlet_api.conditions import Reason
from martlet_api.contract import JUDGE_KEY_ENV, EvaluatePlan, Input, OutputPlan, Plan, Termination
from martlet_api.evalrun import Generation, Suite
from martlet_runtime import cli
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import flow, judge, samples
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch

KEY = "sk-NobodyShallSeeThis"
ROWS = [{"query": f"Where is number {n}?", "response": f"place{n}"} for n in range(6)]
RIGHT = {f"number {n}?": f"It is at place{n}." for n in range(6)}
YES, NO = '{"reasoning": "so", "verdict": "A"}', 'Well. {"verdict": "B"}'
OUTPUT = OutputPlan(uri="pvc://out/e/r", record={"owner": "us"})


class Judging:
    """One suite over a few rows of one's own."""

    def __init__(self, engine: Any, judge: Any, pod: Callable[..., Paths], folder: Path) -> None:
        self.engine, self.judge, self.pod, self.folder = engine, judge, pod, folder
        self.benchmark = "general_qa"
        self.rows: list[dict[str, Any]] = ROWS
        self.asked: dict[str, Any] = {}
        """The suite's ``judge``."""
        self.secret: dict[str, Any] = {"secretRef": {"name": "judge"}}
        self.thresholds = [{"metric": "mean_acc", "min": 0.5}]
        self.output: OutputPlan | None = None
        engine.answers = RIGHT

    def plan(self, endpoint: str | None = None) -> Plan:
        suite = Suite.model_validate(
            {
                "name": "places",
                "benchmark": self.benchmark,
                "dataset": {"uri": "pvc://data/rows.jsonl"},
                "judge": self.asked,
                "thresholds": self.thresholds,
            }
        )
        judge = self.judge.judge(**self.secret)
        evaluate: EvaluatePlan = self.engine.plan(
            suite,
            generation=Generation(seed=3),
            judge={**judge, **({"endpoint": endpoint} if endpoint else {})},
            output=self.output,
        )
        wanted = Input(
            name="suite-places",
            kind="Dataset",
            uri="pvc://data/rows.jsonl",
            benchmark=self.benchmark,
        )
        return Plan(
            kind="EvalRun", namespace="n", name="e", run="r", inputs=[wanted], evaluate=evaluate
        )

    def paths(self) -> Paths:
        path = self.folder / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        return self.pod(suite_places=path)

    def run(self, **plan: Any) -> Termination:
        paths = self.paths()
        self.volumes = paths.volumes
        return flow.run(self.plan(**plan), paths, Report())


@pytest.fixture
def judging(
    engine: Any, judge: Any, pod: Callable[..., Paths], tmp_path: Path, monkeypatch: Any
) -> Judging:
    monkeypatch.setenv(JUDGE_KEY_ENV, KEY)
    judge.key = KEY
    return Judging(engine, judge, pod, tmp_path)


@pytest.fixture
def impatient(monkeypatch: Any) -> None:
    monkeypatch.setattr(judge, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_: 0)


def told(ended: Termination) -> list[tuple[str, float, int, int]]:
    assert ended.evaluate is not None
    return [(s.metric, s.value, s.samples, s.incomplete) for s in ended.evaluate.scores]


# Good judges


def test_the_judge_s_verdicts_are_the_score(judging: Judging) -> None:
    judging.judge.otherwise = YES
    judging.judge.verdicts = {"number 1?": NO, "number 4?": NO}
    ended = judging.run()
    assert ended.succeeded
    assert told(ended) == [("mean_acc", pytest.approx(4 / 6, abs=1e-4), 6, 0)]
    (score,) = ended.evaluate.scores
    assert score.detail == "judged by wise"
    # The sample standard deviation of four ones and two noughts, over the root of six.
    assert score.stderr == pytest.approx((4 / 3 / 5 / 6) ** 0.5, rel=1e-3)


def test_it_is_asked_as_the_spec_says_and_alone_has_the_key(judging: Judging) -> None:
    judging.secret["maxTokens"] = 77
    judging.run()
    check, *asked = judging.judge.asked
    assert len(asked) == len(ROWS)
    for body in (check, *asked):
        assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == (
            "wise", 0, 3, 77,
        )  # fmt: skip
    text = json.dumps(asked[0]["messages"])
    assert "Grade the predicted answer" in text
    assert "It is at place" in text
    assert judging.judge.authorizations == {f"Bearer {KEY}"}
    assert judging.engine.authorizations <= {None, "Bearer EMPTY"}


def test_twice_gives_the_same(judging: Judging) -> None:
    judging.judge.verdicts = {"number 1?": NO}
    assert judging.run() == judging.run()


def test_a_prompt_and_labels_of_one_s_own(judging: Judging) -> None:
    judging.asked = {
        "promptTemplate": "Is {pred} as kind as {gold}, asked {question}?",
        "systemPrompt": "You are kind.",
        "scoreMapping": {"KIND": 1, "SO": 0.5, "RUDE": 0},
    }
    judging.judge.otherwise = '{"verdict": "SO"}'
    judging.judge.verdicts = {"number 1?": '{"verdict": "KIND"}'}
    ended = judging.run()
    assert told(ended) == [("mean_acc", pytest.approx(3.5 / 6, abs=1e-4), 6, 0)]
    system, user = judging.judge.asked[1]["messages"]
    assert system["content"] == "You are kind."
    assert "Is It is at place" in json.dumps(user)


def test_a_numeric_judge_needs_no_expected_answer(judging: Judging) -> None:
    judging.rows = [
        {"messages": [{"role": "user", "content": row["query"]}]} for row in judging.rows
    ]
    judging.asked = {"scoreType": "Numeric"}
    judging.judge.otherwise = '{"reasoning": "so", "score": 0.25}'
    judging.judge.verdicts = {"number 1?": '{"score": 1}'}
    assert told(judging.run()) == [("mean_acc", pytest.approx((5 * 0.25 + 1) / 6), 6, 0)]


def test_choices_are_judged_as_well(judging: Judging) -> None:
    judging.benchmark = "general_mcq"
    judging.rows = [
        {"question": f"Which is number {n}?", "A": "one", "B": "two", "answer": "A"}
        for n in range(4)
    ]
    judging.judge.verdicts = {"number 1?": NO}
    assert told(judging.run()) == [("mean_acc", 0.75, 4, 0)]


def test_rows_are_kept_with_what_the_judge_said(judging: Judging) -> None:
    judging.output = OUTPUT
    judging.judge.otherwise = YES
    judging.run()
    folder = judging.volumes / "out/e/r"
    rows = list(samples.read(folder / samples.FILE))
    assert [row.judgement for row in rows] == [YES] * len(ROWS)
    # By the name of the figure, so that a baseline's rows can be laid beside them.
    assert [row.scores for row in rows] == [{"mean_acc": 1.0}] * len(ROWS)
    assert "reasoning" in (folder / "report.html").read_text()


# Bad ones: what they do not say is no score


def test_nonsense_is_no_verdict_and_none_is_given(judging: Judging) -> None:
    """The answer is right word for word: by the benchmark's rules, which EvalScope takes instead,
    it would score 1."""
    judging.engine.answers = {row["query"]: row["response"] for row in ROWS}
    judging.output = OUTPUT
    judging.judge.verdicts = {"number 2?": "I like it very much."}
    ended = judging.run()
    assert (ended.succeeded, ended.reason) == (False, Reason.INCONCLUSIVE)
    assert told(ended) == [("mean_acc", 1.0, 5, 1)]
    assert ended.message.startswith(
        "1 samples got no judgement, so there is no verdict. The first: places: the judge gave no "
        "score: no JSON object found in the reply (I like it very much.). Look at the judge's log"
    )
    rows = list(samples.read(judging.volumes / "out/e/r" / samples.FILE))
    assert [row.scores for row in rows][1:4] == [{"mean_acc": 1.0}, {}, {"mean_acc": 1.0}]
    assert rows[2].error.startswith("no JSON object")
    assert judging.run().message == ended.message, "as kept, so told"


NONSENSE = {
    "Pattern": ["", "B", '{"verdict": "C"}', '{"score": 1}', f"{YES} {NO}", '{"verdict": '],
    "Numeric": ["0.5", *(f'{{"score": {n}}}' for n in ("1.5", "-0.1", '"high"', "null", "NaN"))],
}


@pytest.mark.parametrize("score_type", NONSENSE)
def test_of_nonsense_alone_there_is_no_score_at_all(judging: Judging, score_type: str) -> None:
    judging.asked = {"scoreType": score_type}
    said = enumerate(NONSENSE[score_type])
    judging.judge.verdicts = {f"number {n}?": text for n, text in said}
    ended = judging.run()
    assert ended.reason == Reason.INCONCLUSIVE
    assert told(ended) == []
    assert ended.evaluate is not None
    assert (ended.evaluate.incomplete, ended.evaluate.unjudged) == (6, 6)
    assert "6 samples got no judgement" in ended.message


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("status", [429, 503])
def test_a_judge_that_is_busy_for_ever_gives_no_score(judging: Judging, status: int) -> None:
    judging.rows = ROWS[:2]
    judging.judge.always = status
    ended = judging.run()
    assert ended.reason == Reason.INCONCLUSIVE
    assert told(ended) == []
    assert "2 samples got no judgement" in ended.message
    assert (
        f"the judge gave no score: {'RateLimit' if status == 429 else 'InternalServer'}Error"
        in (ended.message)
    )
    # The check and each row: the client's three requests, EvalScope's three times.
    assert judging.judge.refusals == 3 + 2 * 9


@pytest.mark.usefixtures("impatient")
def test_one_that_is_busy_for_a_while_is_asked_again(judging: Judging) -> None:
    judging.judge.statuses = {f"number {n}?": [429, 503, 429, 429, 500] for n in range(6)}
    ended = judging.run()
    assert ended.succeeded
    assert told(ended) == [("mean_acc", 1.0, 6, 0)]
    assert judging.judge.refusals == 6 * 5


@pytest.mark.usefixtures("impatient")
def test_a_slow_judge_is_waited_for_and_one_that_is_too_slow_is_not(
    judging: Judging, monkeypatch: Any
) -> None:
    monkeypatch.setattr(judge, "_TIMEOUT_SECONDS", 2)
    monkeypatch.setattr(judge, "_ATTEMPTS", 1)
    judging.judge.slow = {"number 1?": 0.5, "number 2?": 3}
    ended = judging.run()
    assert ended.reason == Reason.INCONCLUSIVE
    assert told(ended) == [("mean_acc", 1.0, 5, 1)]
    assert "the judge gave no score: APITimeoutError" in ended.message


@pytest.mark.usefixtures("impatient")
def test_engine_and_judge_are_told_apart(judging: Judging) -> None:
    judging.engine.refused = "number 3?"
    judging.judge.verdicts = {"number 2?": "nonsense", "number 1?": "nonsense"}
    ended = judging.run()
    assert told(ended) == [("mean_acc", 1.0, 3, 3)]
    assert "1 samples got no answer and 2 samples got no judgement" in ended.message
    assert ended.evaluate is not None
    assert [error.split(":")[1].strip()[:9] for error in ended.evaluate.errors] == [
        "Error cod", "the judge",
    ]  # fmt: skip


# What is wrong with the spec is told before anything is asked


def test_a_wrong_key_is_a_user_s_error(judging: Judging) -> None:
    judging.judge.key = "another"
    with pytest.raises(UserError) as caught:
        judging.run()
    assert caught.value.reason == Reason.ACCESS_DENIED
    assert f"The judge at {judging.judge.endpoint} does not take the key" in caught.value.message
    assert f"Secret judge as {JUDGE_KEY_ENV}" in caught.value.message
    assert KEY not in caught.value.message
    assert "Bearer ***" in caught.value.message
    assert judging.engine.asked == []


def test_a_key_that_is_nowhere_named(judging: Judging, monkeypatch: Any) -> None:
    monkeypatch.delenv(JUDGE_KEY_ENV)
    judging.secret = {}
    with pytest.raises(UserError) as caught:
        judging.run()
    assert "Name a Secret with the key OPENAI_API_KEY in spec.judge.secretRef" in (
        caught.value.message
    )


@pytest.mark.parametrize(
    ("status", "says"), [(404, "does not know the model"), (400, "does not take what it is asked")]
)
def test_a_judge_that_refuses_for_good(judging: Judging, status: int, says: str) -> None:
    judging.judge.always = status
    with pytest.raises(UserError) as caught:
        judging.run()
    assert caught.value.reason == Reason.JUDGE_FAILED
    assert says in caught.value.message
    assert judging.engine.asked == []


@pytest.mark.usefixtures("impatient")
def test_a_judge_that_is_not_there_is_worth_another_try(judging: Judging) -> None:
    with pytest.raises(RetryableError) as caught:
        judging.run(endpoint="http://127.0.0.1:9/v1")
    assert caught.value.reason == Reason.JUDGE_FAILED
    assert "The judge at http://127.0.0.1:9/v1 cannot be reached" in caught.value.message


def test_a_metric_of_the_rules_is_not_the_judge_s(judging: Judging) -> None:
    judging.thresholds = [{"metric": "Rouge-L-R", "min": 0.5}]
    with pytest.raises(UserError) as caught:
        judging.run()
    assert caught.value.reason == Reason.METRIC_NOT_REPORTED
    assert "it reports mean_acc" in caught.value.message


# The key


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("wrong", [False, True])
def test_the_key_is_nowhere_though_the_judge_sends_it_back(
    judging: Judging, tmp_path: Path, capfd: Any, wrong: bool
) -> None:
    judging.output = OUTPUT
    if wrong:
        judging.judge.key = "another"
    judging.judge.statuses = {"number 1?": [500] * 9, "number 2?": [418]}
    judging.judge.verdicts = {"number 3?": f"You sent {KEY}, and I say nothing."}
    paths, plan = judging.paths(), tmp_path / "plan.json"
    plan.write_text(judging.plan().model_dump_json(by_alias=True, exclude_none=True))
    code = cli.run("evaluate", plan, paths)
    assert code == 65
    message = paths.termination.read_text()
    assert ("AccessDenied" if wrong else "Inconclusive") in message
    assert "***" in message
    kept = [path for path in paths.volumes.rglob("*") if path.is_file()]
    assert bool(kept) != wrong
    logs = paths.work.glob("runs/*/logs/*")
    for path in (plan, paths.termination, *kept, *logs):
        assert KEY not in path.read_text(), path
    captured = capfd.readouterr()
    assert KEY not in captured.out + captured.err
    if not wrong:
        assert "***" in "".join(path.read_text() for path in kept)


# EvalScope's own


CARD = """---
configs:
- config_name: default
  data_files:
  - {{split: {split}, path: {split}.jsonl}}
---
"""
SIMPLE_QA = [
    {"metadata": "{'topic': 'places'}", "problem": f"Where is number {n}?", "answer": f"place{n}"}
    for n in range(4)
]
MT_BENCH = [
    {"prompt": [f"Where is number {n}?", "And why?"], "category": "writing", "prompt_id": n}
    for n in range(4)
]
IMO = [
    {"Problem": f"What is number {n}?", "Short Answer": str(n % 2), "Category": "Algebra"}
    for n in range(4)
]
VERDICTS = {
    "simple_qa": ('{"verdict": "A"}', '{"verdict": "C"}', ("mean_is_correct", 0.75, 1.0)),
    "mt_bench": ('{"score": 8}', '{"score": 4}', ("mean_judge_score", 7.0, 8.0)),
}
SHAPES = {
    "simple_qa": ("test", SIMPLE_QA, None),
    "mt_bench": ("train", MT_BENCH, ["writing"]),
    "imo_answerbench": ("train", IMO, ["Algebra"]),
}


@pytest.fixture
def benchmark(judging: Judging, tmp_path: Path) -> Callable[..., Termination]:
    """Scores a benchmark of EvalScope's over a few rows in its form."""

    def run(name: str, **asked: Any) -> Termination:
        split, rows, subsets = SHAPES[name]
        data = tmp_path / name
        data.mkdir()
        (data / "README.md").write_text(CARD.format(split=split))
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        suite = Suite.model_validate(
            {
                # The library keeps what it has read by the folder's name.
                "name": name.replace("_", "-"),
                "benchmark": name,
                "dataset": {"uri": "pvc://data/folder"},
                "subsets": subsets,
                "judge": asked,
            }
        )
        assert benchmarks.problem(suite) is None
        evaluate = judging.engine.plan(suite, judge=judging.judge.judge())
        wanted = Input(name=f"suite-{suite.name}", kind="Folder", uri="pvc://data/folder")
        plan = Plan(
            kind="EvalRun", namespace="n", name="e", run="r", inputs=[wanted], evaluate=evaluate
        )
        return flow.run(plan, judging.pod(**{f"suite_{name}": data}), Report())

    return run


@pytest.mark.parametrize(("strategy", "value"), [("Rule", 0.5), ("LLM", 0.75)])
def test_a_benchmark_with_rules_and_a_judge_is_scored_by_the_one_that_is_named(
    judging: Judging, benchmark: Callable[..., Termination], strategy: str, value: float
) -> None:
    judging.engine.answers = {"": "It is \\boxed{1}."}
    judging.judge.verdicts = {"number 2?": NO}
    ended = benchmark("imo_answerbench", strategy=strategy)
    assert told(ended) == [("mean_acc", value, 4, 0)]
    assert len(judging.judge.asked) - 1 == (4 if strategy == "LLM" else 0)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_benchmark_that_only_a_judge_can_score(
    judging: Judging, benchmark: Callable[..., Termination], name: str
) -> None:
    judging.judge.otherwise, other, (metric, value, _) = VERDICTS[name]
    judging.judge.verdicts = {"number 2?": other}
    assert told(benchmark(name)) == [(metric, value, 4, 0)]


@pytest.mark.parametrize("name", VERDICTS)
def test_where_one_judgement_fails_the_row_has_no_score(
    judging: Judging, benchmark: Callable[..., Termination], name: str
) -> None:
    """MT-Bench asks of each turn: here the second alone fails, whose prompt begins otherwise."""
    judging.judge.otherwise, _, (metric, _, value) = VERDICTS[name]
    judging.judge.broken = ("number 2?", "And why?") if name == "mt_bench" else ("number 2?",)
    ended = benchmark(name)
    assert ended.reason == Reason.INCONCLUSIVE
    assert told(ended) == [(metric, value, 3, 1)]
    assert "1 samples got no judgement" in ended.message
