"""Stand-ins for engines: chat completions on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Object = dict[str, Any]


def answers(text: str) -> Callable[[Object], web.Response]:
    choice = {"message": {"role": "assistant", "content": text}}
    return lambda _: web.json_response({"choices": [choice]})


@asynccontextmanager
async def engine(
    reply: Callable[[Object], web.Response], seconds: float = 0.0
) -> AsyncIterator[tuple[TestServer, list[Object]]]:
    """A server, and the bodies that it was sent; it takes ``seconds`` to answer."""
    asked: list[Object] = []

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body)
        await asyncio.sleep(seconds)
        return reply(body)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    server = TestServer(app)
    await server.start_server()
    try:
        yield server, asked
    finally:
        await server.close()
