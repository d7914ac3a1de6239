"""Perplexity as the engine sees it, beside a computation of transformers' over the same tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan, Input, Plan
from martlet_api.evalrun import Suite
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate import flow, perplexity
from martlet_runtime.paths import Paths
from martlet_runtime.perplexity import perplexity as by_transformers
from martlet_runtime.perplexity import tokens_of, windows
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model(village: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32).eval()


STORIES = Suite.model_validate(
    {"name": "stories", "benchmark": "perplexity", "dataset": {"uri": "pvc://d/stories.txt"}}
)


def plan_of(evaluate: EvaluatePlan) -> Plan:
    inputs = [Input(name="suite-stories", kind="Dataset", uri="pvc://d/stories.txt", rows="Text")]
    return Plan(kind="EvalRun", namespace="n", name="e", run="r", inputs=inputs, evaluate=evaluate)


@torch.no_grad()
def told(model: Any, tokens: list[int]) -> list[float]:
    """The log-probability of each token but the first."""
    logits = model(input_ids=torch.tensor([tokens])).logits[0, :-1].double()
    return logits.log_softmax(-1)[range(len(tokens) - 1), tokens[1:]].tolist()


def test_it_is_what_transformers_computes_over_the_same_windows(
    engine: Any, model: Any, village: Path, pod: Callable[..., Paths], monkeypatch: Any
) -> None:
    engine.surprise, engine.max_model_len = (lambda tokens: told(model, tokens)), 65
    paths = pod(model=village / "base", suite_stories=village / "stories.txt")
    report = Report()
    ended = flow.run(plan_of(engine.plan(STORIES)), paths, report)
    assert ended.evaluate is not None
    (score,) = ended.evaluate.scores
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    tokens = tokens_of(tokenizer, (village / "stories.txt").read_text())
    monkeypatch.setattr("martlet_runtime.perplexity.WINDOW", 64)
    assert score.value == pytest.approx(by_transformers(model, tokens), rel=1e-3)
    assert score.detail is not None
    assert score.detail.endswith("tokens scored, windows of 64, stride 64")
    assert score.stderr is not None
    assert 0 < score.stderr < score.value
    assert report.registry.get_sample_value("martlet_eval_samples") == score.samples


def test_of_a_service_the_tokens_are_asked_too(
    engine: Any, model: Any, village: Path, pod: Callable[..., Paths]
) -> None:
    """No model is at hand; the score is the same as with it."""
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    engine.surprise, engine.max_model_len = (lambda tokens: told(model, tokens)), 65
    engine.tokens = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    plan = engine.plan(STORIES, service="InferenceService/chat (revision chat-1)")
    ended = flow.run(plan_of(plan), pod(suite_stories=village / "stories.txt"), Report())
    with_model = pod(model=village / "base", suite_stories=village / "stories.txt")
    own = flow.run(plan_of(engine.plan(STORIES)), with_model, Report())
    assert ended.evaluate == own.evaluate
    assert ended.evaluate is not None
    assert ended.evaluate.scores[0].samples > 1


def test_the_standard_error_is_that_of_windows_drawn_anew(monkeypatch: Any) -> None:
    """Beside many draws of windows: the delta method, within a tenth."""
    torch.manual_seed(3)
    counts = [63] * 200 + [20]
    surprises = [float(n * (2 + 0.5 * torch.randn(()))) for n in counts]
    found = perplexity._measured(surprises, counts, 64)
    drawn = []
    for _ in range(2000):
        chosen = torch.randint(0, len(counts), (len(counts),)).tolist()
        drawn.append(sum(surprises[i] for i in chosen) / sum(counts[i] for i in chosen))
    assert found.stderr == pytest.approx(torch.tensor(drawn).exp().std().item(), rel=0.1)


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(10, 4, [4, 4, 2]), (9, 4, [4, 4]), (3, 8, [3]), (2, 1, [])]
)
def test_windows_do_not_overlap(count: int, size: int, sizes: list[int]) -> None:
    assert [len(piece) for piece in windows(list(range(count)), size)] == sizes


def test_an_engine_that_does_not_tell_is_said_to(engine: Any) -> None:
    with pytest.raises(UserError) as caught:
        perplexity.measure("s", engine.plan(), [1, 2, 3], lambda _: None)
    assert caught.value.reason == Reason.METRIC_NOT_REPORTED
    assert "does not tell the probabilities" in caught.value.message
