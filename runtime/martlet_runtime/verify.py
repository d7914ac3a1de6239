"""Verify: the engine that is to serve has loaded what was compressed, and answers.

A few tokens are asked for greedily, past an end of text, with the log-probability of each. So the
prompt and the steps after it go once through the engine's kernels for the format. An answer counts
if it has tokens, and their log-probabilities are numbers that probabilities can have: weights or
kernels that do not go together give none, or such as are no numbers. How good the answers are was
the gate's to judge.
"""

import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination, VerifyPlan, VerifyResult
from martlet_runtime import models
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import engine
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

Answer = dict[str, Any]

_ASKED = "Hello"
_DRAWN = {"max_tokens": 8, "temperature": 0, "ignore_eos": True}
_ATTEMPTS = 4
"""An engine that ends is started again, and after three times the operator ends the run, with its
last words; so one time more."""
_SERVER_ERROR = 500
_IMPOSSIBLE = -9999.0
"""What vLLM writes for the logarithm of nought."""
_NO_NUMBERS = "not JSON compliant"
"""So vLLM 0.32 refuses to tell log-probabilities that are no numbers."""
_ROUNDING = 1e-3
_SHOWN = 300
_TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class _Question:
    """``logprobs`` finds in the answer what each token has."""

    name: str
    path: str
    body: dict[str, Any]
    logprobs: Callable[[Answer], list[Any]]


_COMPLETION = _Question(
    "a completion",
    "completions",
    {"prompt": _ASKED, "logprobs": 0, **_DRAWN},
    lambda answer: answer["choices"][0]["logprobs"]["token_logprobs"],
)
_CHAT = _Question(
    "a chat",
    "chat/completions",
    {
        "messages": [{"role": "user", "content": _ASKED}],
        "logprobs": True,
        "top_logprobs": 0,
        **_DRAWN,
    },
    lambda answer: [token["logprob"] for token in answer["choices"][0]["logprobs"]["content"]],
)


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """EngineFailed where an answer is refused, or is none."""
    assert plan.verify is not None
    todo = plan.verify
    chat = models.has_chat_template(paths.inputs / "model")
    engine.wait(todo.endpoint, todo.served_name)
    seconds = time.time() - paths.plan.stat().st_mtime
    for question in (_COMPLETION, *([_CHAT] if chat else [])):
        _check(question, _answer(question, todo))
    result = VerifyResult(
        engine=todo.engine,
        version=_version(todo.endpoint),
        image=todo.image,
        seconds=seconds,
        chat=chat,
    )
    return Termination(
        flow="verify",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=_message(result),
        verify=result,
    )


def _message(result: VerifyResult) -> str:
    version = f" {result.version}" if result.version else ""
    asked = f"{_COMPLETION.name} and {_CHAT.name}" if result.chat else _COMPLETION.name
    return (
        f"{result.engine}{version} of image {result.image} answered {asked}; its first answer came "
        f"{result.seconds:.0f} s after the pod began."
    )


def _answer(question: _Question, todo: VerifyPlan) -> Answer:
    """An engine that ends over a question is asked again once it is back."""
    wrong = ""
    for attempt in range(1, _ATTEMPTS + 1):
        engine.wait(todo.endpoint, todo.served_name)
        try:
            body = {"model": todo.served_name, **question.body}
            return engine.ask(f"{todo.endpoint}/{question.path}", body, _TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            wrong = f"{error}: {error.read().decode(errors='replace')[:_SHOWN]}"
            if error.code < _SERVER_ERROR or attempt == _ATTEMPTS:
                raise _failed(question, _refusal(wrong)) from error
        except engine.NO_ANSWER as error:
            wrong = str(error)
        print(f"attempt {attempt} of {question.name}: {wrong}", flush=True)
    raise RetryableError(
        Reason.ENGINE_FAILED,
        f"The engine ended whenever it was asked for {question.name}: {wrong}.",
    )


def _refusal(words: str) -> str:
    if _NO_NUMBERS in words:
        return f"no answer: its log-probabilities are no numbers ({words})"
    return f"refused: {words}"


def _check(question: _Question, answer: Answer) -> None:
    try:
        found = question.logprobs(answer)
    except (LookupError, TypeError) as error:
        raise _failed(question, "given without the log-probabilities of its tokens") from error
    if wrong := no_answer(found):
        raise _failed(question, f"no answer: {wrong}")


def no_answer(logprobs: list[Any]) -> str | None:
    """Why tokens with these log-probabilities are no answer; None where they are one."""
    if not logprobs:
        return "it has no tokens"
    for number, value in enumerate(logprobs, start=1):
        if not _can_be(value):
            return f"token {number} of {len(logprobs)} has the log-probability {value}"
    return None


def _can_be(value: Any) -> bool:
    """Whether it is the logarithm of a probability that a drawn token can have."""
    number = isinstance(value, int | float) and isfinite(value)
    return number and _IMPOSSIBLE < value <= _ROUNDING


def _version(endpoint: str) -> str | None:
    """vLLM's page tells it, beside the API that users see."""
    try:
        told = engine.ask(f"{endpoint.removesuffix('/v1')}/version").get("version")
    except engine.NO_ANSWER as error:
        print(f"the engine does not tell its version: {error}", flush=True)
        return None
    return str(told) if told else None


def _failed(question: _Question, how: str) -> UserError:
    return UserError(
        Reason.ENGINE_FAILED,
        f"The engine loaded the model, but {question.name} was {how}.",
    )
