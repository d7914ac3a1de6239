"""The list of an artifact's files, and the digest that follows from it.

The digest of a folder or file is the SHA-256 of its listing as canonical JSON: for an artifact of
ours, for a model from a hub and for a data file alike. So equal files have equal digests wherever
they lie.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

MANIFEST = "martlet-manifest.json"
_IGNORED = (MANIFEST, ".git", ".gitattributes", ".cache", ".huggingface", ".msc", ".mdl", ".mv")
_CHUNK = 1 << 20


@dataclass(frozen=True, order=True)
class File:
    """One file: its path inside the folder, its size in bytes, its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """Files in the order of their paths."""

    files: tuple[File, ...]

    @classmethod
    def of(cls, files: Iterable[File]) -> "Listing":
        return cls(tuple(sorted(files)))

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.canonical()).hexdigest()}"

    def canonical(self) -> bytes:
        """The bytes of the manifest file."""
        rows = [{"path": f.path, "sha256": f.sha256, "size": f.size} for f in self.files]
        text = json.dumps({"files": rows}, sort_keys=True, separators=(",", ":"))
        return text.encode() + b"\n"


def list_files(root: Path) -> Listing:
    """The listing of a folder, or of a single file, whose name does not matter."""
    if root.is_file():
        return Listing.of([_file(root, ".")])
    return Listing.of(_file(path, path.relative_to(root).as_posix()) for path in _walk(root))


def read_manifest(root: Path) -> Listing | None:
    """The listing that a folder's manifest gives; None where it has none."""
    path = root / MANIFEST
    if not path.is_file():
        return None
    rows = json.loads(path.read_text())["files"]
    return Listing.of(File(row["path"], row["size"], row["sha256"]) for row in rows)


def verify(root: Path, digest: str) -> Listing:
    """The listing of what lies there; DigestMismatch naming the first file that differs."""
    found = list_files(root)
    if found.digest != digest:
        known = read_manifest(root) if root.is_dir() else None
        raise UserError(Reason.DIGEST_MISMATCH, _difference(root, found, known, digest))
    return found


def _difference(root: Path, found: Listing, known: Listing | None, digest: str) -> str:
    if known and known.digest == digest:
        path, how = first_difference(known, found)
        return (
            f"{path} in {root.name} {how} since it was made. Restore it, or let the resource that "
            "made it make it anew by a new spec.retry."
        )
    return (
        f"{root.name} has digest {found.digest}, but {digest} was locked. Restore it, or set a new "
        "spec.retry to take it as it is now."
    )


def first_difference(known: Listing, found: Listing) -> tuple[str, str]:
    """The first file that is not as it was, and how (``was changed``...); the two must differ."""
    wanted, have = ({f.path: f for f in listing.files} for listing in (known, found))
    paths = sorted(wanted.keys() | have.keys())
    path = next(path for path in paths if wanted.get(path) != have.get(path))
    return path, _how(path, wanted, have)


def _how(path: str, wanted: dict[str, File], have: dict[str, File]) -> str:
    if path not in have:
        return "is missing"
    return "was changed" if path in wanted else "was added"


def _walk(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name in _IGNORED:
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _file(path: Path, name: str) -> File:
    sha, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
    return File(name, size, sha.hexdigest())
