"""Waiting for an engine: only a completion counts."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_runtime.errors import RetryableError
from martlet_runtime.evaluate.engine import named, problem, wait


def test_an_engine_that_completes_is_there(engine: Any) -> None:
    assert problem(engine.endpoint, "m") is None
    wait(engine.endpoint, "m", seconds=5)


def test_one_that_refuses_is_waited_for(engine: Any) -> None:
    engine.down = True
    threading.Timer(0.3, lambda: setattr(engine, "down", False)).start()
    started = time.monotonic()
    wait(engine.endpoint, "m", seconds=30)
    assert engine.refusals > 0
    assert time.monotonic() - started < 10


def test_one_that_never_answers_is_worth_another_try(engine: Any) -> None:
    engine.down = True
    with pytest.raises(RetryableError) as caught:
        wait(engine.endpoint, "m", seconds=0)
    assert caught.value.reason == Reason.ENGINE_FAILED
    assert "503" in caught.value.message


def test_one_of_somebody_else_s_is_named(engine: Any) -> None:
    engine.down = True
    who = "InferenceService/chat (revision chat-1)"
    plan = engine.plan(service=who)
    with pytest.raises(RetryableError) as caught:
        wait(plan.endpoint, "m", seconds=0, who=named(plan))
    assert caught.value.message.startswith(f"{who} gave no answer within 0 s")
    assert named(engine.plan()) == "The engine"


def test_none_at_all_is_told(engine: Any) -> None:
    engine.close()
    assert "refused" in str(problem(engine.endpoint, "m"))
