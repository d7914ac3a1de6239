"""A queue of keys that holds each key once, and works on each key in one place at a time."""

import asyncio
import time
from dataclasses import dataclass
from typing import NamedTuple

from martlet_operator import metrics


class Key(NamedTuple):
    kind: str
    namespace: str
    name: str


@dataclass
class _Entry:
    added_at: float


class WorkQueue:
    """As client-go's: a key added while it is worked on is done once more afterwards.

    A later ``add`` of a key that waits for its time brings it forward, never back.
    """

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: dict[Key, _Entry] = {}
        self._working: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def add(self, key: Key) -> None:
        if key in self._queued:
            return
        metrics.QUEUE_ADDS.inc()
        self._queued[key] = _Entry(time.monotonic())
        metrics.QUEUE_DEPTH.set(len(self._queued))
        if key not in self._working:
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Adds the key when the time has come; the earlier of two such times counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._timers.get(key)
        if timer and timer.when() <= due:
            return
        if timer:
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._due, key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def get(self) -> Key:
        key = await self._ready.get()
        entry = self._queued.pop(key)
        self._working.add(key)
        metrics.QUEUE_DEPTH.set(len(self._queued))
        metrics.QUEUE_SECONDS.observe(time.monotonic() - entry.added_at)
        return key

    def done(self, key: Key) -> None:
        """The key was worked on; if it was added meanwhile, it comes again."""
        self._working.discard(key)
        if key in self._queued:
            self._ready.put_nowait(key)

    def oldest_seconds(self) -> float:
        """How long the oldest key waits; liveness looks at it."""
        if not self._queued:
            return 0.0
        return time.monotonic() - min(entry.added_at for entry in self._queued.values())
