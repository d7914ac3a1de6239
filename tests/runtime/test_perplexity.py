"""Perplexity against a computation of its own, and the figure it is judged by."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api.conditions import Reason
from martlet_runtime import perplexity as subject
from martlet_runtime.errors import UserError
from martlet_runtime.perplexity import increase_percent, perplexity, tokens_of

pytestmark = pytest.mark.torch


def token_by_token(model: torch.nn.Module, tokens: list[int], window: int) -> float:
    """Each token from the ones before it in its window, one forward pass each, in doubles."""
    surprises = []
    for start in range(0, len(tokens), window):
        piece = tokens[start : start + window]
        for position in range(1, len(piece)):
            with torch.no_grad():
                logits = model(torch.tensor([piece[:position]])).logits[0, -1].double()
            probability = logits.softmax(-1)[piece[position]].item()
            surprises.append(-math.log(probability))
    return math.exp(math.fsum(surprises) / len(surprises))


@pytest.mark.parametrize("count", [2, 9, 16, 17, 50])
def test_it_equals_a_computation_token_by_token(
    village: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(subject, "WINDOW", 16)
    model = AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    tokens = tokens_of(tokenizer, (village / "stories.txt").read_text())[:count]
    expected = token_by_token(model, tokens.tolist(), 16)
    assert perplexity(model, tokens) == pytest.approx(expected, rel=1e-5)


def test_a_model_that_knows_nothing_has_the_size_of_its_vocabulary(village: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32)
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
    tokens = torch.arange(600) % model.config.vocab_size
    assert perplexity(model, tokens) == pytest.approx(model.config.vocab_size, rel=1e-5)


def test_a_text_of_one_token_is_refused(village: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    with pytest.raises(UserError) as caught:
        tokens_of(tokenizer, "a")
    assert caught.value.reason == Reason.DATASET_EMPTY


def test_of_a_long_text_the_first_tokens_are_taken(
    village: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    text = (village / "stories.txt").read_text()
    whole = tokens_of(tokenizer, text)
    monkeypatch.setattr(subject, "MAX_TOKENS", 40)
    assert tokens_of(tokenizer, text).tolist() == whole[:40].tolist()


@pytest.mark.parametrize(
    ("compressed", "full", "percent"), [(10.5, 10, 5), (10, 10, 0), (9, 10, -10), (30, 10, 200)]
)
def test_the_increase_is_in_percent_of_the_full_model(
    compressed: float, full: float, percent: float
) -> None:
    assert increase_percent(compressed, full) == pytest.approx(percent)
