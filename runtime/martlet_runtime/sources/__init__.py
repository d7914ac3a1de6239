"""Where models and data come from: one module a scheme."""

import importlib
from pathlib import Path
from typing import Protocol

from martlet_api.contract import Input
from martlet_runtime.artifacts import Listing, verify
from martlet_runtime.cache import Store
from martlet_runtime.paths import Paths


class Source(Protocol):
    """What each module here offers."""

    remote: bool
    """Whether what it brings is copied from elsewhere, and so worth keeping."""

    def size(self, wanted: Input) -> int:
        """Bytes that ``bring`` would copy."""

    def resolve(self, wanted: Input, paths: Paths) -> str | None:
        """The commit that a revision names now; None where the scheme has no commits."""

    def listing(self, wanted: Input, paths: Paths, scratch: Path) -> Listing:
        """The files of the (locked) commit with their SHA-256, fetched as little as possible."""

    def bring_configuration(self, wanted: Input, paths: Paths, target: Path) -> None:
        """Lays at least all of a model's files out but its weights."""

    def bring(self, wanted: Input, paths: Paths, target: Path) -> None:
        """Lays the files out at ``target``: a folder for a model, a file for data."""


_MODULES = {
    "pvc": "martlet_runtime.sources.local",
    "file": "martlet_runtime.sources.local",
    "hf": "martlet_runtime.sources.huggingface",
    "ms": "martlet_runtime.sources.modelscope",
    "s3": "martlet_runtime.sources.s3",
}
"""Imported when needed: the hubs' clients take longer to import than a small model to read."""


def lay_out(wanted: Input, paths: Paths, store: Store | None, target: Path) -> Listing:
    """A locked input at ``target``, every file checked against its digest. DigestMismatch where it
    is not what was locked."""
    assert wanted.digest is not None
    # A link's own name is not the file's: the listing names the file that it leads to.
    return fetch(wanted, paths, store, target) or verify(target.resolve(), wanted.digest)


def fetch(wanted: Input, paths: Paths, store: Store | None, target: Path) -> Listing | None:
    """A locked input at ``target``: by way of the cache where there is one and it has room. Returns
    the listing if it was checked, as what comes from the cache is."""
    source = source_of(wanted)
    kept = None
    if store and source.remote:
        kept = store.provide(
            wanted,
            size=lambda: source.size(wanted),
            bring=lambda path: source.bring(wanted, paths, path),
        )
    if kept is None:
        source.bring(wanted, paths, target)
        return None
    content, listing = kept
    target.unlink(missing_ok=True)
    target.symlink_to(content)
    return listing


def source_of(wanted: Input) -> Source:
    """The source for an input's URI; the API admits no other scheme."""
    scheme = wanted.uri.partition("://")[0]
    source: Source = importlib.import_module(_MODULES[scheme]).SOURCE
    return source
