"""Waits for the engine to answer, and tells when it does no more."""

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan
from martlet_runtime.errors import RetryableError

_WAIT_SECONDS = 600.0
_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 30.0
_ENGINE = "The engine"
NO_ANSWER = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)
"""How an engine that does not answer shows itself."""


def named(plan: EvaluatePlan) -> str:
    """Who is asked, at the start of a sentence."""
    return plan.service or _ENGINE


def failed(plan: EvaluatePlan, what: str) -> RetryableError:
    return RetryableError(Reason.ENGINE_FAILED, f"{named(plan)} {what}. It is tried again.")


def wait(endpoint: str, model: str, seconds: float = _WAIT_SECONDS, who: str = _ENGINE) -> None:
    """Returns once the engine gave a real completion; EngineFailed if it does not in time."""
    until = time.monotonic() + seconds
    while (wrong := problem(endpoint, model)) is not None:
        if time.monotonic() > until:
            raise RetryableError(
                Reason.ENGINE_FAILED,
                f"{who} gave no answer within {seconds:.0f} s: {wrong}.",
            )
        time.sleep(_PAUSE_SECONDS)


def problem(endpoint: str, model: str) -> str | None:
    """Why the engine gives no completion; None where it does."""
    try:
        ask(f"{endpoint}/completions", {"model": model, "prompt": "Hello", "max_tokens": 1})
    except NO_ANSWER as error:
        return str(error)
    return None


def ask(
    url: str, body: dict[str, Any] | None = None, timeout: float = _TIMEOUT_SECONDS
) -> dict[str, Any]:
    """What the engine answers, or one of ``NO_ANSWER``; of those an HTTPError is its own words."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - the pod's own endpoint, or a service's
        url, data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found
