"""What a whole look found, for as long as no event tells that it changed.

A rollout is looked at every few seconds for hours, and of all that it looks at only the pages of
its pods are new. To read the rest of it anew each time is ten requests to the API server; hundreds
of rollouts would be a thousand a second.
"""

import time

from martlet_operator.reconcile.queue import Key
from martlet_operator.reconcile.snapshot import Object, Snapshot

_PERIOD_SECONDS = 60.0


class Kept:
    """Of rollouts alone. What is not watched (Services, ConfigMaps, claims), and what a watch
    missed, is found ``period`` seconds later."""

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._snapshots: dict[Key, tuple[float, Snapshot]] = {}
        self._versions: dict[Key, str] = {}
        self._changed: set[Key] = set()

    def told(self, key: Key, version: str) -> None:
        """An event about the resource itself."""
        self._versions[key] = version

    def changed(self, key: Key) -> None:
        """An event about something that the resource looks at."""
        self._changed.add(key)

    def begin(self, key: Key) -> None:
        """A whole look begins: what changes from here on may escape it."""
        self._snapshots.pop(key, None)
        self._changed.discard(key)

    def keep(self, key: Key, snapshot: Snapshot) -> None:
        if (snapshot.resource.get("status") or {}).get("canary"):
            self._snapshots[key] = (time.monotonic(), snapshot)

    def write(self, key: Key, resource: Object) -> None:
        """The resource is now as we wrote it."""
        if key in self._snapshots:
            since, snapshot = self._snapshots[key]
            self._snapshots[key] = (since, snapshot.of(resource))

    def recall(self, key: Key) -> Snapshot | None:
        """The last whole look, if nothing was told since but what we did ourselves."""
        since, snapshot = self._snapshots.get(key, (0.0, None))
        if snapshot is None or key in self._changed or time.monotonic() - since >= self._period:
            return None
        known = snapshot.resource["metadata"]["resourceVersion"]
        return snapshot if self._versions.get(key) == known else None

    def forget(self, key: Key) -> None:
        self._snapshots.pop(key, None)
        self._versions.pop(key, None)
        self._changed.discard(key)
