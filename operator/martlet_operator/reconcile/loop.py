"""The workers: take a key, reconcile it, put it back where needed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from martlet_operator import metrics
from martlet_operator.errors import Conflict
from martlet_operator.reconcile.queue import Key, WorkQueue

log = logging.getLogger(__name__)

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 60.0


class Workers:
    """``count`` tasks on one queue; an error puts the key back, later each time."""

    def __init__(
        self,
        queue: WorkQueue,
        reconcile: Callable[[Key], Awaitable[float | None]],
        count: int,
    ) -> None:
        self._queue, self._reconcile, self._count = queue, reconcile, count
        self._failures: dict[Key, int] = {}

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._count):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            started = time.monotonic()
            try:
                await self._once(key)
            finally:
                metrics.WORK_SECONDS.observe(time.monotonic() - started)
                self._queue.done(key)

    async def _once(self, key: Key) -> None:
        try:
            again = await self._reconcile(key)
        except Conflict:
            self._again(key)
        except Exception:
            log.exception("reconcile of %s %s/%s failed; it is tried again", *key)
            self._again(key)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self._queue.add_after(key, again)

    def _again(self, key: Key) -> None:
        metrics.QUEUE_RETRIES.inc()
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The power is bounded too: after a day without an API server it would overflow.
        self._queue.add_after(key, min(_FIRST_DELAY * 2 ** min(failures, 16), _LONGEST_DELAY))
