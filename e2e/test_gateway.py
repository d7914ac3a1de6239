"""The cluster's gateway alone: what it does to a response that begins before its request ended."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster import build, probe
from cluster.settings import Settings

pytestmark = pytest.mark.cluster

ENGINE, GATEWAY = 18081, 18080
HEAD = b"POST / HTTP/1.1\r\nHost: engine\r\nContent-Length: 4\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nAB\r\n"
REST = b"2\r\nCD\r\n0\r\n\r\n"


@pytest.fixture
def gateway(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Traefik at GATEWAY, before an engine at ENGINE."""
    build.build(settings)
    server = {"servers": [{"url": f"http://127.0.0.1:{ENGINE}"}]}
    routers = {"all": {"rule": "PathPrefix(`/`)", "service": "engine"}}
    content = {"http": {"routers": routers, "services": {"engine": {"loadBalancer": server}}}}
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(content))
    command = [
        settings.bin / "traefik",
        f"--entryPoints.web.address=127.0.0.1:{GATEWAY}",
        f"--providers.file.filename={rules}",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # "Not found" until it has read its rules, then "bad gateway": the engine comes later.
    while probe.status(f"http://127.0.0.1:{GATEWAY}/") != 502:
        assert process.poll() is None
        time.sleep(0.1)
    yield
    process.terminate()
    process.wait()


async def _engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers when it has half of the body, and ends its answer when it has the other half."""
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)
    writer.write(ANSWER)
    await reader.readexactly(2)
    writer.write(REST)


async def test_a_response_may_begin_before_the_request_has_ended(gateway: None) -> None:
    """As each does whose last read is late, on a busy machine: one in some thousands."""
    engine = await asyncio.start_server(_engine, "127.0.0.1", ENGINE)
    async with engine, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", GATEWAY)
        writer.write(HEAD + b"ab")
        await reader.readuntil(b"AB")
        writer.write(b"cd")
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"CD\r\n0\r\n\r\n")
        writer.close()
