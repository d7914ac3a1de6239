"""Asks the served model a question, through the gateway."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from demo.kube import Kube

_ATTEMPTS = 20


def address(kube: Kube, name: str = "models", namespace: str = "gateway-system") -> str:
    """The gateway's URL; GATEWAY_URL where it cannot be reached at the address it tells."""
    if given := os.environ.get("GATEWAY_URL"):
        return given.rstrip("/")
    found = kube.get("gateway", name, namespace)
    if found is None:
        raise LookupError(f"there is no Gateway {name} in {namespace}: make one, or edit endpoint")
    return f"http://{found['status']['addresses'][0]['value']}"


def ask(kube: Kube, host: str, model: str, question: str) -> tuple[str, dict[str, Any]]:
    """The answer, and the whole reply. The gateway may need a moment to know a new route."""
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    request = urllib.request.Request(
        f"{address(kube)}/v1/chat/completions",
        json.dumps({**body, "max_tokens": 16, "temperature": 0}).encode(),
        {"Content-Type": "application/json", "Host": host},
    )
    for attempt in range(_ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                content = json.load(reply)
        except urllib.error.HTTPError as error:
            if attempt == _ATTEMPTS - 1 or error.code not in (404, 502, 503):
                raise
            time.sleep(1)
        else:
            return content["choices"][0]["message"]["content"].strip(), content
    raise AssertionError("unreachable")
