"""Faults around an app that counts as vLLM's does: the instrumentator inside, the fault outside."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel

from rollouts import faults
from rollouts.faulty import martlet_faults

USER, POD = ("198.18.63.254", 1), ("127.0.0.1", 1)


class Body(BaseModel):
    prompt: str


class Engine:
    """``generate`` as vLLM's: an asynchronous generator."""

    async def generate(self, prompt: str) -> AsyncIterator[str]:
        yield prompt
        yield "!"


def vllm(*names: str) -> tuple[FastAPI, CollectorRegistry]:
    """An app with the middlewares in vLLM's order."""
    app, registry = FastAPI(), CollectorRegistry()
    app.state.engine_client = Engine()

    @app.post("/v1/completions")
    async def complete(body: Body) -> StreamingResponse:
        return StreamingResponse(app.state.engine_client.generate(body.prompt))

    Instrumentator(registry=registry).add().instrument(app)
    for name in names:
        app.add_middleware(getattr(martlet_faults, name))
    return app, registry


async def ask(app: FastAPI, count: int = 1, client: tuple[str, int] = USER) -> list[int]:
    transport = httpx.ASGITransport(app, client=client)
    async with httpx.AsyncClient(transport=transport, base_url="http://vllm") as session:
        replies = [
            await session.post("/v1/completions", json={"prompt": "x"}) for _ in range(count)
        ]
    return [reply.status_code for reply in replies]


def counted(registry: CollectorRegistry, status: str) -> float:
    labels = {"method": "POST", "status": status, "handler": "/v1/completions"}
    return registry.get_sample_value("http_requests_total", labels) or 0


async def test_a_share_of_errors_is_spread_evenly_and_stands_in_the_metrics() -> None:
    app, registry = vllm("Errors25PercentAfter3")
    assert await ask(app, 11) == [200] * 3 + [200, 200, 200, 500] * 2
    assert (counted(registry, "2xx"), counted(registry, "5xx")) == (9, 2)


async def test_the_pods_own_probe_is_neither_counted_nor_harmed() -> None:
    app, _ = vllm("Errors100PercentAfter1")
    assert await ask(app, 5, POD) == [200] * 5
    assert await ask(app, 2) == [200, 500]


async def test_a_slow_engine_begins_late_for_every_request_from_then_on() -> None:
    app, _ = vllm("SlowBy500MsAfter2")
    took = []
    for _ in range(4):
        began = time.monotonic()
        assert await ask(app) == [200]
        took.append(time.monotonic() - began)
    assert max(took[:2]) < 0.5 <= min(took[2:])
    assert max(took[2:]) < 1.0, "slowed more than once"


async def test_a_slow_engine_is_told_of_a_request_that_is_given_up() -> None:
    """As vLLM's generator, which aborts the request when it is closed."""
    closed = asyncio.Event()

    async def generate() -> AsyncIterator[str]:
        try:
            yield "x"
            await asyncio.sleep(60)
        finally:
            closed.set()

    outputs = martlet_faults._later(generate, 0.0)()
    assert await anext(outputs) == "x"
    await outputs.aclose()
    assert closed.is_set()


DYING = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import martlet_faults
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    print("answered", flush=True)
async def nothing(*_): return {"type": "http.request"}
scope = {"type": "http", "method": "POST", "path": "/v1/completions", "client": ("10.0.0.1", 1)}
fault = martlet_faults.DiesAfter2(app)
async def ask():
    for _ in range(9):
        await fault(scope, nothing, nothing)
asyncio.run(ask())
"""


def test_a_dying_engine_ends_in_the_midst_of_an_answer() -> None:
    folder = Path(martlet_faults.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", DYING, folder], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (70, ["answered"] * 2), done.stderr


@pytest.mark.parametrize(
    ("args", "values"),
    [
        (faults.errors(50, after=10), {"percent": 50, "after": 10}),
        (faults.slow(1500, after=5), {"milliseconds": 1500, "after": 5}),
        (faults.dies(after=20), {"after": 20}),
    ],
    ids=["errors", "slow", "dies"],
)
def test_arguments_name_a_class_with_their_numbers(args: list[str], values: dict[str, int]) -> None:
    option, path = args
    module, _, name = path.rpartition(".")
    assert (option, module) == ("--middleware", "martlet_faults")
    found = getattr(martlet_faults, name)
    assert isinstance(found, type)
    assert {key: getattr(found, key) for key in values} == values


async def test_only_the_page_of_metrics_is_hidden() -> None:
    app, _ = vllm(faults.hides_metrics()[1].rpartition(".")[2])
    assert await ask(app, 2) == [200, 200]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://vllm"
    ) as session:
        assert (await session.get("/metrics")).status_code == 503


def test_an_unknown_fault_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(AttributeError, match="called Explodes; there are Errors, Slow"):
        _ = martlet_faults.Explodes


async def test_what_is_no_request_of_a_user_goes_by() -> None:
    seen = []

    async def app(scope: dict[str, object], *_: object) -> None:
        seen.append(scope["type"])

    fault = martlet_faults.fault("Errors100PercentAfter0")(app)
    for scope in ({"type": "lifespan"}, {"type": "http", "path": "/health", "method": "GET"}):
        await fault(scope, SimpleNamespace(), SimpleNamespace())
    assert (seen, fault.count) == (["lifespan", "http"], 0)
