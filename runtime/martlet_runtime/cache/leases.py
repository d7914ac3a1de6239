"""Who uses what: nothing that a running pod uses is evicted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PERIOD_SECONDS = 60.0
STALE_SECONDS = 600.0
"""A lease that was not touched for so long is of a pod that died with its node."""


class Leases:
    """One file for each digest and pod. Ages are told by the volume's own clock: the nodes' may
    differ."""

    def __init__(self, folder: Path, holder: str) -> None:
        self._folder, self._holder = folder, holder

    def take(self, key: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._own(key).touch()

    def drop(self, key: str) -> None:
        self._own(key).unlink(missing_ok=True)

    def drop_all(self) -> None:
        for path in self._all_own():
            path.unlink(missing_ok=True)

    def held(self) -> set[str]:
        """The keys that some pod uses; leases of pods that are gone are removed."""
        now, out = self._now(), set()
        for path in self._folder.glob("*.*"):
            age = now - _touched(path, now - STALE_SECONDS)
            if age < STALE_SECONDS:
                out.add(path.name.partition(".")[0])
            else:
                path.unlink(missing_ok=True)
        return out

    def refresh(self) -> None:
        """Touches those that this pod holds, and makes none."""
        for path in self._all_own():
            if path.exists():
                path.touch()

    @contextmanager
    def kept(self, period: float = PERIOD_SECONDS) -> Iterator[None]:
        """Refreshes them in the background; in the end all are dropped."""
        ended = threading.Event()
        thread = threading.Thread(target=self._keep, args=(ended, period), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.drop_all()

    def _keep(self, ended: threading.Event, period: float) -> None:
        while not ended.wait(period):
            self.refresh()

    def _own(self, key: str) -> Path:
        return self._folder / f"{key}.{self._holder}"

    def _all_own(self) -> list[Path]:
        return list(self._folder.glob(f"*.{self._holder}"))

    def _now(self) -> float:
        self._folder.mkdir(parents=True, exist_ok=True)
        clock = self._folder / "clock"
        clock.touch()
        return clock.stat().st_mtime


def _touched(path: Path, otherwise: float) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return otherwise
