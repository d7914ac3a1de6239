"""Waits for the engine to answer, and tells when it does no more."""

import http.client
import json
import time
import urllib.error
import urllib.request

from martlet_api.conditions import Reason
from martlet_runtime.errors import RetryableError

_WAIT_SECONDS = 600.0
_PAUSE_SECONDS = 1.0


def wait(endpoint: str, model: str, seconds: float = _WAIT_SECONDS) -> None:
    """Returns once the engine gave a real completion; EngineFailed if it does not in time."""
    until = time.monotonic() + seconds
    while (wrong := problem(endpoint, model)) is not None:
        if time.monotonic() > until:
            raise RetryableError(
                Reason.ENGINE_FAILED,
                f"The engine gave no answer within {seconds:.0f} s: {wrong}. It is tried again.",
            )
        time.sleep(_PAUSE_SECONDS)


def problem(endpoint: str, model: str) -> str | None:
    """Why the engine gives no completion; None where it does."""
    body = json.dumps({"model": model, "prompt": "Hello", "max_tokens": 1}).encode()
    request = urllib.request.Request(  # noqa: S310 - the endpoint is the pod's own
        f"{endpoint}/completions", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            json.load(answer)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        return str(error)
    return None
