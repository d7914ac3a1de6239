"""Requests as users send them: an open loop of chats that stream and of plain completions.

Arrivals are Poisson: the next request does not wait for an answer, so a slow service is asked as
much as a quick one. Each is recorded whatever becomes of it. Runs in a thread of its own.

    load = Load(Plan(url="http://198.18.63.254", host="village.example.com", ...))
    load.start()
    ...
    records = load.stop()
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from rollouts.models import Question

_DRAIN_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """``rate`` in requests a second; ``streaming`` is the share of chats that stream; ``in_flight``
    bounds the requests at a time, ``seconds`` the whole, ``timeout`` one request."""

    url: str
    host: str
    model: str
    questions: list[Question]
    rate: float = 3.0
    streaming: float = 0.5
    max_tokens: int = 12
    in_flight: int = 64
    seconds: float = 900.0
    timeout: float = 60.0
    system: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Arrival:
    """A request to be sent ``after`` seconds from the start."""

    number: int
    after: float
    streams: bool
    question: str
    answer: str


@dataclass
class Record:
    """One request: ``started`` in Unix time; ``first`` (first token, or first byte of what does not
    stream) and ``took`` in seconds from then. ``error`` is None for a complete answer alone.
    ``revision`` is the answer's system_fingerprint, ``right`` whether it holds what was expected.
    """

    number: int
    kind: Literal["chat", "completion"]
    question: str
    started: float
    first: float | None = None
    took: float = 0.0
    status: int | None = None
    error: str | None = "not ended"
    revision: str | None = None
    text: str = ""
    right: bool = False

    @property
    def lost(self) -> bool:
        return self.error is not None


@dataclass
class Records:
    """All requests in the order of their end; ``skipped`` were not sent: too many were on their
    way already."""

    all: list[Record] = field(default_factory=list)
    skipped: int = 0

    @property
    def lost(self) -> list[Record]:
        return [record for record in self.all if record.lost]


class AnswerError(Exception):
    """What came is no complete answer; the message says what is wrong with it."""


def arrivals(plan: Plan) -> Iterator[Arrival]:
    """The same for the same plan, until its time is over."""
    rng = random.Random(plan.seed)
    after, number = 0.0, 0
    while (after := after + rng.expovariate(plan.rate)) < plan.seconds:
        question, answer = rng.choice(plan.questions)
        yield Arrival(number, after, rng.random() < plan.streaming, question, answer)
        number += 1


class Load:
    """Sends what a plan says, from ``start`` until ``stop`` or until its time is over."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.records = Records()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> Records:
        """Sends no more, and waits for the answers on their way."""
        self._stopping.set()
        self._thread.join(self.plan.timeout + _DRAIN_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("requests are on their way beyond their time limit")
        return self.records

    def _run(self) -> None:
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        began = time.monotonic()
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=self.plan.timeout)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            on_their_way: set[asyncio.Task[None]] = set()
            for arrival in arrivals(self.plan):
                if not await self._wait_until(began + arrival.after):
                    return
                if len(on_their_way) >= self.plan.in_flight:
                    self.records.skipped += 1
                    continue
                task = tasks.create_task(self._send(session, arrival))
                on_their_way.add(task)
                task.add_done_callback(on_their_way.discard)

    async def _wait_until(self, moment: float) -> bool:
        """False when the load was stopped before."""
        while not self._stopping.is_set():
            left = moment - time.monotonic()
            if left <= 0:
                return True
            await asyncio.sleep(min(left, 0.1))
        return False

    async def _send(self, session: aiohttp.ClientSession, arrival: Arrival) -> None:
        kind: Literal["chat", "completion"] = "chat" if arrival.streams else "completion"
        record = Record(arrival.number, kind, arrival.question, time.time())
        began = time.monotonic()
        try:
            await self._ask(session, arrival, record, began)
            record.error = None
            record.right = arrival.answer in record.text
        except AnswerError as error:
            record.error = str(error)
        except TimeoutError:
            record.error = f"no end after {self.plan.timeout:.0f} s"
        except aiohttp.ClientPayloadError as error:
            record.error = f"cut off: {error}"
        except (aiohttp.ClientError, OSError) as error:
            record.error = f"connection: {type(error).__name__}: {error}"
        record.took = time.monotonic() - began
        self.records.all.append(record)

    async def _ask(
        self, session: aiohttp.ClientSession, arrival: Arrival, record: Record, began: float
    ) -> None:
        path, body = _body(self.plan, arrival)
        url = f"{self.plan.url}{path}"
        async with session.post(url, json=body, headers={"Host": self.plan.host}) as reply:
            record.status = reply.status
            if reply.status != 200:
                raise AnswerError(f"HTTP {reply.status}: {(await reply.text())[:200]}")
            if arrival.streams:
                await _read_stream(reply, record, began)
            else:
                record.first = time.monotonic() - began
                _read_whole(await reply.read(), record)


def _body(plan: Plan, arrival: Arrival) -> tuple[str, dict[str, Any]]:
    common = {"model": plan.model, "max_tokens": plan.max_tokens, "temperature": 0}
    if not arrival.streams:
        return "/v1/completions", {**common, "prompt": arrival.question}
    system = [{"role": "system", "content": plan.system}] if plan.system else []
    messages = [*system, {"role": "user", "content": arrival.question}]
    return "/v1/chat/completions", {**common, "messages": messages, "stream": True}


def _read_whole(content: bytes, record: Record) -> None:
    try:
        answer = json.loads(content)
        choice = answer["choices"][0]
    except (ValueError, LookupError, TypeError) as error:
        raise AnswerError(f"no completion: {content[:200]!r}") from error
    record.text = choice["text"]
    record.revision = answer.get("system_fingerprint")
    _check_reason(choice.get("finish_reason"))


async def _read_stream(reply: aiohttp.ClientResponse, record: Record, began: float) -> None:
    """An answer is complete with a reason for its end and ``[DONE]`` after it."""
    reason = None
    async for chunk in _chunks(reply):
        if "error" in chunk:
            raise AnswerError(f"error within the stream: {chunk['error']}")
        record.revision = chunk.get("system_fingerprint") or record.revision
        for choice in chunk.get("choices", []):
            if text := choice.get("delta", {}).get("content"):
                record.first = record.first or time.monotonic() - began
                record.text += text
            reason = choice.get("finish_reason") or reason
    _check_reason(reason)


async def _chunks(reply: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of server-sent events, up to ``[DONE]``."""
    async for line in reply.content:
        data = line.decode().strip().removeprefix("data: ")
        if data == "[DONE]":
            return
        if data:
            yield _chunk(data)
    raise AnswerError("cut off: the stream ended without [DONE]")


def _chunk(data: str) -> dict[str, Any]:
    try:
        chunk: dict[str, Any] = json.loads(data)
    except ValueError as error:
        raise AnswerError(f"no JSON within the stream: {data[:200]}") from error
    return chunk


def _check_reason(reason: str | None) -> None:
    if reason not in ("stop", "length"):
        raise AnswerError(f"ended with finish_reason {reason}")
