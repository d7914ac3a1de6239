"""A file of digests in order, each once: written within bounded memory, and looked up in place.

HEADER, then 8 bytes a digest, the highest first, so that their order is that of the bytes.
"""

import heapq
import mmap
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from martlet_api.conditions import Reason
from martlet_runtime.data.asked import DIGEST_BYTES
from martlet_runtime.errors import UserError

HEADER = b"martlet-asked-1\n"
"""Another way of telling what rows ask is another number."""
_HELD = 1 << 20
"""Digests in memory; more go to files, which are merged: some 100 MB."""
_AT_ONCE = 1 << 12
"""Digests that are read of a file, and written."""
_CODE = "Q"


class Digests:
    """Collects them; what memory does not hold lies in ``folder``."""

    def __init__(self, folder: Path, held: int = _HELD) -> None:
        self._folder, self._most = folder, held
        self._held = array(_CODE)
        self._runs: list[Path] = []

    def add(self, digest: int) -> None:
        self._held.append(digest)
        if len(self._held) >= self._most:
            self._spill()

    def chunks(self) -> Iterator[bytes]:
        """The file, piece by piece."""
        yield HEADER
        self._spill()
        merged = heapq.merge(*map(_numbers, self._runs))
        piece = array(_CODE)
        for digest, _ in groupby(merged):
            piece.append(digest)
            if len(piece) == _AT_ONCE:
                yield _bytes(piece)
                piece = array(_CODE)
        yield _bytes(piece)

    def _spill(self) -> None:
        path = self._folder / f"digests-{len(self._runs)}"
        with path.open("wb") as stream:
            array(_CODE, sorted(self._held)).tofile(stream)
        self._runs.append(path)
        self._held = array(_CODE)


class Known:
    """The digests of a file, which stays on its disk."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as stream:
            if stream.read(len(HEADER)) != HEADER:
                raise UserError(
                    Reason.TRAINING_SET_UNKNOWN,
                    f"{path.name} is no file of digests of this version; train anew.",
                )
            self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return (len(self._bytes) - len(HEADER)) // DIGEST_BYTES

    def __getitem__(self, index: int) -> int:
        start = len(HEADER) + index * DIGEST_BYTES
        return int.from_bytes(self._bytes[start : start + DIGEST_BYTES])

    def __contains__(self, digest: int) -> bool:
        index = bisect_left(self, digest)
        return index < len(self) and self[index] == digest


def _numbers(path: Path) -> Iterator[int]:
    with path.open("rb") as stream:
        while piece := stream.read(_AT_ONCE * DIGEST_BYTES):
            yield from array(_CODE, piece)


def _bytes(digests: Iterable[int]) -> bytes:
    return b"".join(digest.to_bytes(DIGEST_BYTES) for digest in digests)
