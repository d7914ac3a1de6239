"""What an engine answers, and what becomes of it where it does not."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from probe_engines import answers, engine

from martlet_api.probe import ChatMessage
from martlet_operator.probe.asking import UnreachableError, ask

Object = dict[str, Any]
QUESTION = [ChatMessage(role="user", content="Where?")]


async def asked(address: str, seconds: float = 5.0) -> str | None:
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        return await ask(session, address, "chat", QUESTION, 16)


async def test_the_answer_and_what_was_asked() -> None:
    async with engine(answers("barn")) as (server, bodies):
        assert await asked(str(server.make_url("")).rstrip("/")) == "barn"
    (body,) = bodies
    assert body == {
        "model": "chat",
        "messages": [{"role": "user", "content": "Where?"}],
        "max_tokens": 16,
        "temperature": 0,
    }


@pytest.mark.parametrize(
    "reply",
    [
        lambda _: web.Response(status=500),
        lambda _: web.Response(text="no JSON"),
        lambda _: web.json_response({"choices": []}),
        lambda _: web.json_response([]),
        lambda _: web.json_response({"choices": [{"message": {"content": None}}]}),
        answers("x" * (1 << 21)),
    ],
)
async def test_what_is_no_answer(reply: Callable[[Object], web.Response]) -> None:
    async with engine(reply) as (server, _):
        assert await asked(str(server.make_url("")).rstrip("/")) is None


async def test_an_answer_that_does_not_come_in_time_is_none() -> None:
    async with engine(answers("barn"), seconds=5) as (server, _):
        assert await asked(str(server.make_url("")).rstrip("/"), seconds=0.2) is None


async def test_nobody_there_is_no_answer_of_the_model() -> None:
    async with engine(answers("barn")) as (server, _):
        address = str(server.make_url("")).rstrip("/")
    with pytest.raises(UnreachableError, match="does not answer"):
        await asked(address)
