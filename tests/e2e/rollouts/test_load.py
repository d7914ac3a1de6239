"""The load against a stand-in that answers as vLLM does, and as it does when it fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web

from rollouts.load import Load, Plan, Record, Records, arrivals

PLAN = Plan(
    url="http://nowhere", host="village.example.com", model="village", questions=[("fine", "barn")]
)
Answer = Callable[[web.Request, str], Awaitable[web.StreamResponse]]


class StandIn:
    """Answers each question by the method of its name; counts what is on its way at a time."""

    def __init__(self) -> None:
        self.at_a_time = 0
        self.most = 0
        self.bodies: list[dict[str, object]] = []
        self.hosts: set[str] = set()

    async def completion(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.hosts.add(request.host)
        self.at_a_time += 1
        self.most = max(self.most, self.at_a_time)
        try:
            asked = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
            answer: Answer = getattr(self, asked)
            return await answer(request, "text" if "prompt" in body else "stream")
        finally:
            self.at_a_time -= 1

    async def fine(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "text":
            return web.json_response(whole())
        return await stream(request, [piece("the "), piece("barn"), last("stop"), "[DONE]"])

    async def failing(self, request: web.Request, kind: str) -> web.StreamResponse:
        return web.json_response({"error": "no"}, status=500)

    async def reset(self, request: web.Request, kind: str) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def reset_within(self, request: web.Request, kind: str) -> web.StreamResponse:
        begun = await stream(request, [piece("the ")], ends=False)
        assert request.transport is not None
        request.transport.abort()
        return begun

    async def cut(self, request: web.Request, kind: str) -> web.StreamResponse:
        return await stream(request, [piece("the "), last("stop")])

    async def broken(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "text":
            return web.json_response({"object": "text_completion"})
        return await stream(request, [piece("the "), {"error": {"code": 500}}, "[DONE]"])

    async def aborted(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "text":
            return web.json_response(whole("abort"))
        return await stream(request, [piece("the "), last("abort"), "[DONE]"])

    async def slow(self, request: web.Request, kind: str) -> web.StreamResponse:
        await asyncio.sleep(0.4)
        return await self.fine(request, kind)


def whole(reason: str = "stop") -> dict[str, object]:
    choice = {"text": "in the barn", "finish_reason": reason}
    return {"choices": [choice], "system_fingerprint": "blue"}


def piece(text: str) -> dict[str, object]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": None}]}


def last(reason: str) -> dict[str, object]:
    choice = {"delta": {}, "finish_reason": reason}
    return {"choices": [choice], "system_fingerprint": "blue"}


async def stream(
    request: web.Request, events: list[dict[str, object] | str], *, ends: bool = True
) -> web.StreamResponse:
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        await reply.write(f"data: {data}\n\n".encode())
    if ends:
        await reply.write_eof()
    return reply


@pytest.fixture
async def standin() -> AsyncIterator[tuple[StandIn, str]]:
    found = StandIn()
    app = web.Application()
    app.router.add_post("/v1/completions", found.completion)
    app.router.add_post("/v1/chat/completions", found.completion)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield found, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def sent(url: str, **changes: object) -> Records:
    """What becomes of a load that goes on to its own end."""
    load = Load(replace(PLAN, url=url, **{"rate": 50.0, "seconds": 0.1, **changes}))
    load.start()
    await asyncio.sleep(load.plan.seconds)
    return await asyncio.to_thread(load.stop)


async def only(url: str, question: str, streaming: float, **changes: object) -> Record:
    records = await sent(url, questions=[(question, "barn")], streaming=streaming, **changes)
    assert records.all
    return records.all[0]


@pytest.mark.parametrize(("streaming", "kind"), [(1.0, "chat"), (0.0, "completion")])
async def test_a_complete_answer_is_not_lost(
    standin: tuple[StandIn, str], streaming: float, kind: str
) -> None:
    found, url = standin
    record = await only(url, "fine", streaming, system="Answer.")
    assert (record.lost, record.status, record.right) == (False, 200, True)
    assert (record.kind, record.revision) == (kind, "blue")
    assert record.first is not None
    assert 0 < record.first <= record.took
    assert found.hosts == {"village.example.com"}
    assert {body["model"] for body in found.bodies} == {"village"}


LOST = [
    ("failing", 1.0, "HTTP 500"),
    ("failing", 0.0, "HTTP 500"),
    ("reset", 1.0, "connection"),
    ("reset", 0.0, "connection"),
    ("reset_within", 1.0, "cut off"),
    ("reset_within", 0.0, "cut off"),
    ("cut", 1.0, "cut off: the stream ended without [DONE]"),
    ("broken", 1.0, "error within the stream"),
    ("broken", 0.0, "no completion"),
    ("aborted", 1.0, "ended with finish_reason abort"),
    ("aborted", 0.0, "ended with finish_reason abort"),
]


@pytest.mark.parametrize(("question", "streaming", "says"), LOST)
async def test_anything_else_is_lost_and_says_how(
    standin: tuple[StandIn, str], question: str, streaming: float, says: str
) -> None:
    record = await only(standin[1], question, streaming)
    assert record.lost
    assert not record.right
    assert str(record.error).startswith(says)


async def test_an_answer_that_does_not_end_in_time_is_lost(
    standin: tuple[StandIn, str],
) -> None:
    record = await only(standin[1], "slow", 0.0, timeout=0.1)
    assert str(record.error).startswith("no end after")


async def test_nobody_there_is_a_lost_request() -> None:
    record = await only("http://127.0.0.1:9", "fine", 1.0)
    assert str(record.error).startswith("connection")
    assert record.status is None


async def test_arrivals_do_not_wait_for_answers(standin: tuple[StandIn, str]) -> None:
    found, url = standin
    records = await sent(url, questions=[("slow", "barn")], seconds=0.3)
    assert found.most > 3
    assert len(records.all) > 5
    assert records.skipped == 0


async def test_requests_on_their_way_are_bounded_and_what_is_not_sent_is_told(
    standin: tuple[StandIn, str],
) -> None:
    found, url = standin
    records = await sent(url, questions=[("slow", "barn")], seconds=0.3, in_flight=2)
    assert found.most == 2
    assert records.skipped > 3


async def test_a_load_that_is_stopped_waits_for_its_answers(standin: tuple[StandIn, str]) -> None:
    load = Load(replace(PLAN, url=standin[1], questions=[("slow", "barn")], rate=50.0))
    load.start()
    await asyncio.sleep(0.2)
    records = await asyncio.to_thread(load.stop)
    assert records.all
    assert records.lost == []


def test_arrivals_are_the_same_for_the_same_seed_and_as_many_as_asked_for() -> None:
    plan = replace(PLAN, rate=3.0, seconds=1000.0, streaming=0.25)
    found = list(arrivals(plan))
    assert found == list(arrivals(plan))
    assert found != list(arrivals(replace(plan, seed=1)))
    assert len(found) == pytest.approx(3000, rel=0.1)
    assert sum(a.streams for a in found) / len(found) == pytest.approx(0.25, abs=0.05)
    assert max(a.after for a in found) < 1000
