"""Middlewares that make vLLM fail as engines do, for its argument ``--middleware``.

An engine's variables cannot be set by an InferenceService, so a fault has its numbers in its name:

    --middleware martlet_faults.Errors50PercentAfter10   half of the requests from the 11th on: 500
    --middleware martlet_faults.SlowBy1500MsAfter10      the first token comes 1.5 s later
    --middleware martlet_faults.DiesAfter20              the process ends in the 21st answer
    --middleware martlet_faults.HidesMetrics             the page of metrics is not there

vLLM puts these middlewares around the one that counts for its metrics (``build_app`` in
vllm/entrypoints/launchers/app.py: the routers with the counting first), so whatever one answers by
itself stands in no metric. Each therefore fails further inside, where a fault of the engine would.
Requests of the start-up probe, which come from the pod itself, are neither counted nor harmed.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXIT_CODE = 70
_NAMES = {
    "Errors": re.compile(r"Errors(?P<percent>\d+)PercentAfter(?P<after>\d+)"),
    "Slow": re.compile(r"SlowBy(?P<milliseconds>\d+)MsAfter(?P<after>\d+)"),
    "Dies": re.compile(r"DiesAfter(?P<after>\d+)"),
    "Hides": re.compile("HidesMetrics"),
}


class Fault:
    """Counts the requests of users, and harms those after the first ``after``."""

    after = 0

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_users(scope):
            await self.app(scope, receive, send)
            return
        self.count += 1
        if self.count <= self.after:
            await self.app(scope, receive, send)
        else:
            await self.harm(self.count - self.after, scope, receive, send)

    async def harm(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        """``number`` counts the requests that may be harmed, from 1."""
        raise NotImplementedError


class Errors(Fault):
    """Answers ``percent`` of the requests with 500, spread evenly.

    The error is raised where the request is read, within the endpoint: FastAPI hands on an
    HTTPException that comes from there, and the metrics count its status.
    """

    percent = 100

    async def harm(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        fails = number * self.percent // 100 > (number - 1) * self.percent // 100
        await self.app(scope, _refusing(receive) if fails else receive, send)


class Slow(Fault):
    """Lets the engine begin ``milliseconds`` later, which its own metrics see: the time of arrival
    is taken before."""

    milliseconds = 0
    slowed = False

    async def harm(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        if not self.slowed:
            engine = scope["app"].state.engine_client
            engine.generate = _later(engine.generate, self.milliseconds / 1000)
            self.slowed = True
        await self.app(scope, receive, send)


class Dies(Fault):
    """Ends the process once an answer has begun, and with it all answers on their way."""

    async def harm(self, number: int, scope: Scope, receive: Receive, send: Send) -> None:
        async def last(message: Message) -> None:
            await send(message)
            os._exit(_EXIT_CODE)

        await self.app(scope, receive, last)


class Hides:
    """Answers 503 to who asks for the page of metrics; users notice nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["path"] == "/metrics"
        await (Response(status_code=503) if is_page else self.app)(scope, receive, send)


def fault(name: str) -> type[Fault | Hides]:
    """The class that a name stands for. Raises AttributeError for a name that is none's."""
    for kind, pattern in _NAMES.items():
        if match := pattern.fullmatch(name):
            numbers = {key: int(value) for key, value in match.groupdict().items()}
            return type(name, (globals()[kind],), numbers)
    raise AttributeError(f"no fault is called {name}; there are {', '.join(_NAMES)}")


__getattr__ = fault


def _is_users(scope: Scope) -> bool:
    if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
        return False
    client = scope.get("client")
    return scope["method"] == "POST" and client is not None and client[0] != "127.0.0.1"


def _refusing(receive: Receive) -> Receive:
    async def refuse() -> Message:
        message = await receive()
        if message.get("more_body"):
            return message
        raise HTTPException(500, "a fault that was asked for")

    return refuse


def _later(
    generate: Callable[..., AsyncIterator[Any]], seconds: float
) -> Callable[..., AsyncIterator[Any]]:
    async def later(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        await asyncio.sleep(seconds)
        async with aclosing(generate(*args, **kwargs)) as outputs:
            async for output in outputs:
                yield output

    return later
