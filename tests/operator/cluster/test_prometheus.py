"""What a Prometheus answers, and what is made of it."""

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from martlet_operator.cluster.prometheus import Answer, ask, read


def told(kind: str, result: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def series(text: str) -> dict[str, Any]:
    return {"metric": {"pod": "a"}, "value": [1767323045.1, text]}


@pytest.mark.parametrize(
    ("body", "value", "wrong", "message"),
    [
        (told("vector", [series("0.25")]), 0.25, None, ""),
        (told("scalar", [1767323045.1, "3"]), 3.0, None, ""),
        (told("vector", []), None, "NoData", "no series"),
        (told("vector", [series("NaN")]), None, "NoData", "NaN"),
        (told("vector", [series("+Inf")]), None, "NoData", "Inf"),
        (told("vector", [series("1"), series("2")]), None, "ProviderError", "2 series"),
        (told("string", [1767323045.1, "fine"]), None, "ProviderError", "a string"),
        (told("matrix", []), None, "ProviderError", "a matrix"),
        (told("vector", [{"metric": {}}]), None, "ProviderError", "no number"),
        ({"status": "error", "error": "parse error"}, None, "ProviderError", "parse error"),
        (["no"], None, "ProviderError", "no JSON of its own"),
    ],
)
def test_answers(body: Any, value: float | None, wrong: str | None, message: str) -> None:
    found = read(body)
    assert (found.value, found.wrong) == (value, wrong)
    assert message in found.message


async def test_it_is_asked() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(str((await request.post())["query"]))
        return web.json_response(told("vector", [series("2")]))

    app = web.Application()
    app.router.add_post("/prefix/api/v1/query", answer)
    async with TestServer(app) as server:
        found = await ask(f"http://127.0.0.1:{server.port}/prefix/", 'avg(csat{a="b"})')
    assert found == Answer(2.0)
    assert asked == ['avg(csat{a="b"})']


@pytest.mark.parametrize("text", ["no JSON", json.dumps({"status": "error", "error": "busy"})])
async def test_a_prometheus_at_fault(text: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503, text=text)

    app = web.Application()
    app.router.add_post("/api/v1/query", answer)
    async with TestServer(app) as server:
        found = await ask(f"http://127.0.0.1:{server.port}", "up")
    assert found.wrong == "ProviderError"


async def test_nobody_answers() -> None:
    found = await ask("http://127.0.0.1:9", "up")
    assert found.wrong == "ProviderError"
    assert "does not answer" in found.message
