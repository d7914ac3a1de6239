"""Asks an engine one chat completion."""

import json
from typing import Any

import aiohttp

from martlet_api.probe import ChatMessage

TIMEOUT = aiohttp.ClientTimeout(total=60.0, sock_connect=5.0)
_LONGEST_BYTES = 1 << 20


class UnreachableError(Exception):
    """Nobody answered at that address, which says nothing of the model."""


async def ask(
    session: aiohttp.ClientSession,
    address: str,
    model: str,
    messages: list[ChatMessage],
    max_tokens: int,
) -> str | None:
    """The answer at temperature 0; None where the engine answers with an error, with what is no
    answer, or not within the session's time. Raises UnreachableError."""
    body = {
        "model": model,
        "messages": [message.to_dict() for message in messages],
        "max_tokens": max_tokens,
        "temperature": 0,
    }
    try:
        async with session.post(f"{address}/v1/chat/completions", json=body) as answer:
            data = await answer.content.read(_LONGEST_BYTES)
            return _text(data) if answer.status == 200 else None
    except (aiohttp.ClientConnectionError, OSError) as error:
        if isinstance(error, TimeoutError):
            return None
        raise UnreachableError(
            f"{address} does not answer: {error or type(error).__name__}"
        ) from error
    except (TimeoutError, aiohttp.ClientError):
        return None


def _text(data: bytes) -> str | None:
    try:
        found: Any = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None
