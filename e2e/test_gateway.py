"""The cluster's gateway alone: what it does to a response that begins before its request ended."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from cluster import build, gateway, ports, probe
from cluster.settings import Settings
from demo.kube import Object

pytestmark = pytest.mark.cluster

START_SECONDS = 60
HEAD = b"POST / HTTP/1.1\r\nHost: engine\r\nContent-Length: 4\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nAB\r\n"
REST = b"2\r\nCD\r\n0\r\n\r\n"


@dataclass(frozen=True)
class Place:
    """The ports of loopback at which the gateway listens and the engine is looked for."""

    gateway: int
    engine: int


@pytest.fixture
def place(settings: Settings, tmp_path: Path) -> Iterator[Place]:
    """The gateway with one route, to an engine that is not there yet."""
    build.build(settings)
    found = Place(*ports.free(2))
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(_routes(found.engine)))
    address, provider = f"127.0.0.1:{found.gateway}", f"--providers.file.filename={rules}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(gateway.command(settings, address, provider), stdout=log)
    try:
        _wait_for_route(f"http://{address}/")
        yield found
    finally:
        process.terminate()
        process.wait()


def _routes(engine: int) -> Object:
    server = {"servers": [{"url": f"http://127.0.0.1:{engine}"}]}
    routers = {"all": {"rule": "PathPrefix(`/`)", "service": "engine"}}
    return {"http": {"routers": routers, "services": {"engine": {"loadBalancer": server}}}}


def _wait_for_route(url: str) -> None:
    """It is "not found" until the gateway has read its rules, then "bad gateway"."""
    until = time.monotonic() + START_SECONDS
    while probe.status(url) != 502:
        assert time.monotonic() < until, "the gateway knows no route"
        time.sleep(0.1)


async def _engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers when it has half of the body, and ends its answer when it has the other half."""
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)
    writer.write(ANSWER)
    await reader.readexactly(2)
    writer.write(REST)


async def test_a_response_may_begin_before_the_request_has_ended(place: Place) -> None:
    """As each does whose last read is late, on a busy machine: one in some thousands."""
    engine = await asyncio.start_server(_engine, "127.0.0.1", place.engine)
    async with engine, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", place.gateway)
        writer.write(HEAD + b"ab")
        await reader.readuntil(b"AB")
        writer.write(b"cd")
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"CD\r\n0\r\n\r\n")
        writer.close()
