"""Gives what is there, brings what is not, and makes room for it."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from martlet_api import contract
from martlet_api.contract import CacheUse, Input
from martlet_runtime.artifacts import Listing, settle, verify
from martlet_runtime.cache import entries
from martlet_runtime.cache.leases import Leases
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths

_FOLDER = "martlet-cache"
_EVICTED = "evicted-"


def of_pod(paths: Paths) -> "Store | None":
    """The pod's cache, as the operator told it by variables; None where it has none."""
    limit = os.environ.get(contract.CACHE_LIMIT_ENV)
    if limit is None:
        return None
    return Store(paths.cache, int(limit), os.environ[contract.POD_ENV])


class Store:
    """``limit`` is in bytes. ``use`` counts what this process had of the cache."""

    def __init__(self, volume: Path, limit: int, holder: str) -> None:
        self._root, self._limit = volume / _FOLDER, limit
        self._entries, self._partial = self._root / "entries", self._root / "partial"
        self.leases = Leases(self._root / "leases", holder)
        self.use = CacheUse(limit_bytes=limit)

    def provide(
        self, wanted: Input, size: Callable[[], int], bring: Callable[[Path], None]
    ) -> tuple[Path, Listing] | None:
        """An input's content with its listing, checked against its digest and leased for this pod.

        ``bring`` lays it out at a path if it is not there, for which ``size`` tells the bytes. Pods
        that want the same wait for the one that brings it. None where there is no room: all else is
        used by running pods, or it is larger than the cache.
        """
        assert wanted.digest is not None
        key = wanted.digest.removeprefix("sha256:")
        if found := self._take(key, wanted.digest):
            return found
        with self._locked(key):
            if found := self._take(key, wanted.digest):
                return found
            return self._fill(key, wanted, size(), bring)

    def told(self) -> CacheUse:
        """What this process had of it, and how full it is now."""
        known = entries.read(self._entries)
        return self.use.model_copy(
            update={"entries": len(known), "bytes": sum(entry.bytes for entry in known)}
        )

    def _take(self, key: str, digest: str) -> tuple[Path, Listing] | None:
        """What is there and as it was; damaged content is thrown away unless a pod uses it."""
        path = self._entries / key
        with self._changing():
            if not (path / entries.ABOUT).exists():
                return None
            self.leases.take(key)
            entries.touch(path)
        content = path / entries.CONTENT
        try:
            listing = verify(content, digest)
        except UserError as error:
            self._reject(key, error)
            return None
        self._count(hits=1, saved_bytes=listing.bytes)
        return content, listing

    def _reject(self, key: str, error: UserError) -> None:
        print(f"In the cache {error.message} It is brought anew.", flush=True)
        with self._changing():
            self.leases.drop(key)
            if key not in self.leases.held():
                self._evict(key)
        self._clean()

    def _fill(
        self, key: str, wanted: Input, size: int, bring: Callable[[Path], None]
    ) -> tuple[Path, Listing] | None:
        assert wanted.digest is not None
        path, partial = self._entries / key, self._partial / key
        if refused := self._refusal(key, size):
            print(f"{wanted.uri} of {size} bytes is not kept in the cache: {refused}.", flush=True)
            self._count(bypassed=1)
            return None
        content = partial / entries.CONTENT
        try:
            bring(content)
            listing = verify(content, wanted.digest)
            entries.describe(partial, listing.bytes, wanted.uri)
            settle(partial)
            with self._changing():
                self.leases.take(key)
                self._entries.mkdir(exist_ok=True)
                partial.rename(path)
        finally:
            entries.remove(partial)
        self._count(misses=1, brought_bytes=listing.bytes)
        return path / entries.CONTENT, listing

    def _refusal(self, key: str, size: int) -> str | None:
        """Why something cannot be brought into the cache now; None with room made for it."""
        if (self._entries / key).exists():
            return "what is there is damaged, and a running pod uses it"
        if size > self._limit:
            return f"it holds at most {self._limit}"
        return None if self._make_room(key, size) else "running pods use what is there"

    def _make_room(self, key: str, size: int) -> bool:
        """Sets ``size`` bytes aside, as the size of what is being brought. What killed processes
        left goes first."""
        with self._changing():
            reserved = self._reserved(key)
            known = entries.read(self._entries)
            total = sum(entry.bytes for entry in known) + reserved + size
            free = shutil.disk_usage(self._root).free
            too_many = max(total - self._limit, reserved + size - free, 0)
            chosen = entries.victims(known, self.leases.held(), too_many)
            if chosen is None:
                return False
            for entry in chosen:
                self._evict(entry.key)
                self._count(evicted=1, evicted_bytes=entry.bytes)
            self._reserve(key, size)
        self._clean()
        return True

    def _reserve(self, key: str, size: int) -> None:
        partial = self._partial / key
        entries.remove(partial)
        partial.mkdir(parents=True)
        entries.describe(partial, size, "")

    def _reserved(self, own: str) -> int:
        """Bytes that other processes are bringing now."""
        known = [entry for entry in entries.read(self._partial) if _is_partial(entry.key, own)]
        return sum(entry.bytes for entry in known if not self._remove_if_dead(entry.key))

    def _remove_if_dead(self, key: str) -> bool:
        """Whoever brings something holds its lock."""
        try:
            with FileLock(self._lock(key), timeout=0):
                entries.remove(self._partial / key)
        except Timeout:
            return False
        return True

    def _evict(self, key: str) -> None:
        """Out of sight at once; the bytes go after the lock is free."""
        self._partial.mkdir(parents=True, exist_ok=True)
        target = self._partial / f"{_EVICTED}{key}-{secrets.token_hex(4)}"
        (self._entries / key).rename(target)

    def _clean(self) -> None:
        for path in self._partial.glob(f"{_EVICTED}*"):
            entries.remove(path)

    def _count(self, **more: int) -> None:
        sums = {name: getattr(self.use, name) + value for name, value in more.items()}
        self.use = self.use.model_copy(update=sums)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with FileLock(self._lock(name)):
            yield

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The entries and leases change for one process at a time."""
        with self._locked("entries"):
            yield

    def _lock(self, name: str) -> str:
        folder = self._root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder / f"{name}.lock")


def _is_partial(key: str, own: str) -> bool:
    return key != own and not key.startswith(_EVICTED)
