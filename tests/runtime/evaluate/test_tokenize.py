"""A text's tokens, as the engine that serves tells them."""

from __future__ import annotations

from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import tokenize

pytestmark = pytest.mark.torch

SERVICE = "InferenceService/chat (revision chat-1)"


def by_character(text: str) -> list[int]:
    return list(map(ord, text))


def by_word(text: str) -> list[int]:
    return list(map(len, text.split()))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("martlet_runtime.perplexity.MAX_TOKENS", 10)
    return 10


def test_a_short_text_is_sent_whole(engine: Any) -> None:
    engine.tokens = by_character
    assert tokenize.tokens_of(engine.plan(service=SERVICE), "abc") == [97, 98, 99]
    assert engine.texts == ["abc"]


def test_of_a_long_one_no_more_is_sent_than_is_needed(engine: Any, few: int) -> None:
    engine.tokens = by_character
    text = "abcdefgh" * 1000
    assert tokenize.tokens_of(engine.plan(), text) == by_character(text)[:few]
    assert [len(sent) for sent in engine.texts] == [8 * few]


def test_more_is_sent_where_tokens_are_long(engine: Any, few: int) -> None:
    """The word that was cut is not among them."""
    engine.tokens = by_word
    text = "abcdefghijklmno " * 1000
    assert tokenize.tokens_of(engine.plan(), text) == [15] * few
    assert [len(sent) for sent in engine.texts] == [80, 160, 320]


def test_a_text_of_one_token_is_none(engine: Any) -> None:
    engine.tokens = by_character
    with pytest.raises(UserError) as caught:
        tokenize.tokens_of(engine.plan(), "a")
    assert caught.value.reason == Reason.DATASET_EMPTY


def test_an_engine_that_tells_no_tokens_is_said_to(engine: Any) -> None:
    for tokens in (None, lambda _: "none"):
        engine.tokens = tokens
        with pytest.raises(UserError) as caught:
            tokenize.tokens_of(engine.plan(service=SERVICE), "abc")
        assert caught.value.reason == Reason.METRIC_NOT_REPORTED
        assert caught.value.message.startswith(f"{SERVICE} does not tell a text's tokens")


def test_one_that_is_gone_is_worth_another_try(engine: Any) -> None:
    plan = engine.plan(service=SERVICE)
    engine.close()
    with pytest.raises(RetryableError) as caught:
        tokenize.tokens_of(plan, "abc")
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert caught.value.message.startswith(f"{SERVICE} stopped telling tokens")
