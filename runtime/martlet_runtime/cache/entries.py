"""What lies in the cache, and which of it must go for something new: the least recently used."""

import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

CONTENT, ABOUT = "content", "entry.json"


@dataclass(frozen=True)
class Entry:
    """``used`` is the time of its last use, by the volume's clock."""

    key: str
    bytes: int
    used: float


def read(folder: Path) -> list[Entry]:
    """All whole entries."""
    return [entry for path in sorted(folder.glob("*")) if (entry := _read(path))]


def describe(path: Path, size: int, uri: str) -> None:
    """Writes what an entry is, beside its content."""
    about = json.dumps({"bytes": size, "uri": uri}, sort_keys=True)
    (path / ABOUT).write_text(f"{about}\n")


def touch(path: Path) -> None:
    (path / ABOUT).touch()


def victims(entries: Iterable[Entry], held: Collection[str], too_many: int) -> list[Entry] | None:
    """Those that go so that ``too_many`` bytes are free; None where even all that nobody uses are
    not enough."""
    out: list[Entry] = []
    for entry in sorted(entries, key=lambda e: e.used):
        if sum(victim.bytes for victim in out) >= too_many:
            break
        if entry.key not in held:
            out.append(entry)
    return out if sum(victim.bytes for victim in out) >= too_many else None


def remove(path: Path) -> None:
    """A folder or file that others may be removing too."""
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _read(path: Path) -> Entry | None:
    about = path / ABOUT
    try:
        size = json.loads(about.read_text())["bytes"]
        return Entry(path.name, size, about.stat().st_mtime)
    except FileNotFoundError:
        return None
