"""Asks a Prometheus for one number."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


@dataclass(frozen=True)
class Answer:
    """A ``value``, or what is wrong: nothing is there (``NoData``), or the question or whoever was
    asked is at fault (``ProviderError``)."""

    value: float | None = None
    wrong: Literal["NoData", "ProviderError"] | None = None
    message: str = ""


async def ask(url: str, query: str) -> Answer:
    """The value of an instant query (Prometheus' HTTP API v1) now."""
    address = f"{url.rstrip('/')}/api/v1/query"
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.post(address, data={"query": query}) as answer,
        ):
            return read(await answer.json(content_type=None), answer.status)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        return _error(f"{url} does not answer: {error or type(error).__name__}")


def read(body: Any, status: int = 200) -> Answer:
    """What an answer's JSON says."""
    if not isinstance(body, dict) or body.get("status") != "success":
        said = body.get("error") if isinstance(body, dict) else None
        return _error(f"Prometheus answered {status}: {said or 'no JSON of its own'}")
    data = body.get("data", {})
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return _number(result)
    if kind != "vector":
        return _error(f"the query gives a {kind}; it must give one number")
    if not result:
        return Answer(wrong="NoData", message="the query gives no series")
    if len(result) > 1:
        text = f"the query gives {len(result)} series; it must give one: aggregate them, by sum say"
        return _error(text)
    return _number(result[0].get("value"))


def _number(sample: Any) -> Answer:
    try:
        value = float(sample[1])
    except (TypeError, ValueError, IndexError):
        return _error(f"the query gives {sample!r}, which is no number")
    if not math.isfinite(value):
        return Answer(wrong="NoData", message=f"the query gives {sample[1]}")
    return Answer(value)


def _error(text: str) -> Answer:
    return Answer(wrong="ProviderError", message=text)
