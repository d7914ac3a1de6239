"""Writes an artifact: under a temporary name, synced, renamed."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from martlet_api.contract import OutputPlan
from martlet_api.runs import Artifact, ArtifactBase
from martlet_runtime.artifacts.manifest import MANIFEST, Listing, list_files, read_manifest
from martlet_runtime.paths import Paths

RECORD = "martlet-record.json"
_PROBE_BYTES = 1 << 16


def write(
    paths: Paths,
    output: OutputPlan,
    kind: str,
    base: ArtifactBase | None,
    build: Callable[[Path], None],
) -> Artifact:
    """Lets ``build`` fill a folder, which then appears at ``output.uri``.

    If an earlier attempt of the same run finished the artifact, that one is taken as it is.
    OSError where the volume is full or not writable.
    """
    if found := find(paths, output, kind, base):
        return found
    final = paths.of_claim(output.uri)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(final)
    return _artifact(output, kind, base, _build(final, output, build))


def find(paths: Paths, output: OutputPlan, kind: str, base: ArtifactBase | None) -> Artifact | None:
    """The artifact of an earlier attempt of the same run, if it finished one."""
    listing = read_manifest(paths.of_claim(output.uri))
    return _artifact(output, kind, base, listing) if listing else None


def _artifact(
    output: OutputPlan, kind: str, base: ArtifactBase | None, listing: Listing
) -> Artifact:
    return Artifact(
        uri=output.uri, digest=listing.digest, format=kind, bytes=listing.bytes, base=base
    )


def seal(folder: Path) -> Listing:
    """Writes the folder's manifest, and all of it to the disk, so that it may be renamed."""
    listing = list_files(folder)
    (folder / MANIFEST).write_bytes(listing.canonical())
    settle(folder)
    return listing


def settle(folder: Path) -> None:
    """Makes a folder readable for pods of another user, and writes all of it to the disk."""
    _make_readable(folder)
    _sync(folder)


def write_file(path: Path, content: str | Iterable[bytes]) -> str:
    """A file of its own, in place of the one before it: synced, renamed. Returns its digest."""
    pieces = [content.encode()] if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        with partial.open("wb") as stream:
            stream.writelines(pieces)
        partial.chmod(0o644)
        _sync_file(partial)
        partial.rename(path)
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)
    return list_files(path).digest


def check_writable(paths: Paths, output: OutputPlan) -> None:
    """OSError now, and not after hours of work, if the volume is full or not writable."""
    final = paths.of_claim(output.uri)
    final.parent.mkdir(parents=True, exist_ok=True)
    probe = final.with_name(f".{final.name}.partial-{secrets.token_hex(4)}")
    try:
        with probe.open("wb") as stream:
            stream.write(bytes(_PROBE_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _build(final: Path, output: OutputPlan, build: Callable[[Path], None]) -> Listing:
    partial = final.with_name(f".{final.name}.partial-{secrets.token_hex(4)}")
    partial.mkdir()
    try:
        build(partial)
        (partial / RECORD).write_text(_record(output))
        listing = seal(partial)
        partial.rename(final)
        _sync_folder(final.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return listing


def _record(output: OutputPlan) -> str:
    links = [link.to_dict() for link in output.made_from]
    record = {**output.record, "madeFrom": links}
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _remove_leftovers(final: Path) -> None:
    """What killed attempts of this run left; a run has one working pod at a time."""
    for path in final.parent.glob(f".{final.name}.partial-*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _make_readable(root: Path) -> None:
    """For pods of another user: a read-only mount keeps the modes as they are."""
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _sync(root: Path) -> None:
    for path in root.rglob("*"):
        _sync_folder(path) if path.is_dir() else _sync_file(path)
    _sync_folder(root)


def _sync_file(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
