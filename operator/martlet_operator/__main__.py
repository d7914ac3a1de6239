"""Starts the operator: ``python -m martlet_operator``."""

import asyncio
import logging
import os
import signal
import sys
from typing import Any

import prometheus_client

from martlet_operator import health, leader, metrics, settings
from martlet_operator.cluster import lease
from martlet_operator.cluster.client import Client, connect
from martlet_operator.reconcile.queue import WorkQueue
from martlet_operator.settings import Settings

log = logging.getLogger("martlet")

_STUCK_SECONDS = 120.0


async def run(config: Settings) -> int:
    """Serves the pages, waits for the lease, leads until told to stop; returns the exit code."""
    client = await connect()
    queue = WorkQueue()
    prometheus_client.start_http_server(config.metrics_port)
    pages = await health.serve(config.health_port, lambda: _stuck(queue))
    try:
        return await _until_stopped(client, config, queue)
    finally:
        await pages.cleanup()
        await client.close()


async def _until_stopped(client: Client, config: Settings, queue: WorkQueue) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    # What the election does with a failure of its work is nothing: so it is watched from here.
    failure: asyncio.Future[None] = loop.create_future()

    async def work() -> None:
        log.info("leading as %s", config.identity)
        metrics.LEADER.set(1)
        try:
            await leader.work(client, config, queue, stopped)
        except Exception as error:
            if not failure.done():
                failure.set_exception(error)
            raise

    async def lost() -> None:
        log.error("the lease is lost; another may lead now")

    election: asyncio.Future[None] = asyncio.ensure_future(
        lease.lead(client, config.own_namespace, config.identity, work, lost)
    )
    stop = asyncio.ensure_future(stopped.wait())
    waited: set[asyncio.Future[Any]] = {election, stop, failure}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    metrics.LEADER.set(0)
    return await _leave(client, config, election, failure, told=stop.done())


async def _leave(
    client: Client,
    config: Settings,
    election: "asyncio.Future[None]",
    failure: "asyncio.Future[None]",
    *,
    told: bool,
) -> int:
    """Ends at once: whatever was going on is done again by the next leader."""
    election.cancel()
    (ended,) = await asyncio.gather(election, return_exceptions=True)
    for error in (ended, failure.exception() if failure.done() else None):
        if isinstance(error, Exception):
            log.error("the operator's work failed", exc_info=error)
    if told:
        await lease.release(client, config.own_namespace, config.identity)
        return 0
    return 1


def _stuck(queue: WorkQueue) -> str | None:
    waiting = queue.oldest_seconds()
    return f"a key waits for {waiting:.0f} s" if waiting > _STUCK_SECONDS else None


def main() -> int:
    config = settings.from_environment()
    logging.basicConfig(
        level=config.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # A line for each event says nothing: what is done about it is in our own log.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    code = asyncio.run(run(config))
    logging.shutdown()
    sys.stdout.flush()
    # Threads of the metrics page must not hold the process.
    os._exit(code)


if __name__ == "__main__":
    main()
