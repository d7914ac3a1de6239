"""Which benchmarks a suite may name, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from martlet_api.benchmarks import known, problem
from martlet_api.evalrun import Suite

DATA = {"dataset": {"uri": "pvc://data/folder"}}


def suite(benchmark: str, **fields: Any) -> Suite:
    return Suite.model_validate({"name": "s", "benchmark": benchmark, **fields})


@pytest.mark.parametrize("name", ["general_qa", "general_mcq", "perplexity", "ceval", "mmlu"])
def test_these_are_scored(name: str) -> None:
    assert problem(suite(name, **DATA)) is None


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("cevall", DATA, "there is no benchmark cevall; did you mean ceval"),
        ("qqqqqqqqqq", DATA, "name one of EvalScope's"),
        ("mmmu", DATA, "needs pictures"),
        ("humaneval", DATA, "needs a sandbox"),
        ("ceval", {}, "hf download ceval/ceval-exam --repo-type dataset --local-dir ceval"),
        ("ceval", {}, "hf://datasets/ceval/ceval-exam"),
        ("agieval", {}, "modelscope download --dataset opencompass/agieval"),
        ("simple_qa", DATA, "are scored by a judge. Give the suite judge: {strategy: LLM}, and"),
        ("frames", DATA, "by its rules all the same, say judge: {strategy: Rule}"),
        ("simple_qa", {**DATA, "judge": {"strategy": "Rule"}}, "no rules to score by"),
        ("mt_bench", {**DATA, "judge": {"systemPrompt": "Be kind."}}, "in its own words; remove"),
    ],
)
def test_what_cannot_be_scored_is_told_with_what_to_do(
    name: str, fields: dict[str, Any], told: str
) -> None:
    assert told in str(problem(suite(name, **fields)))


def test_a_perplexity_has_no_other_metric() -> None:
    limits = [{"metric": "perplexity", "max": 9}, {"metric": "ppl", "max": 9}]
    assert problem(suite("perplexity", **DATA, thresholds=limits[:1])) is None
    told = str(problem(suite("perplexity", **DATA, thresholds=limits)))
    assert told == (
        "Suite s: benchmark perplexity has no metric ppl; its one metric is perplexity."
    )


@pytest.mark.parametrize(
    ("name", "judge"),
    [
        ("simple_qa", {}),
        ("mt_bench", {}),
        ("frames", {}),
        ("frames", {"strategy": "Rule"}),
        ("minerva_math", {"scoreType": "Pattern", "systemPrompt": "Be strict."}),
        ("general_qa", {"scoreType": "Numeric"}),
        ("gsm8k", {"promptTemplate": "{pred}?"}),
        ("gsm8k", {"strategy": "Rule"}),
    ],
)
def test_these_are_judged_so(name: str, judge: dict[str, Any]) -> None:
    assert problem(suite(name, **DATA, judge=judge)) is None


def test_by_its_rules_is_not_said_of_what_has_none() -> None:
    assert "by its rules" not in str(problem(suite("simple_qa", **DATA)))


def test_the_table_knows_most_of_evalscope_s_texts() -> None:
    assert len(known()) > 250
    assert sum(1 for found in known().values() if not found.needs) > 100
