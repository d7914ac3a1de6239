"""Where models and data come from: one module a scheme."""

import importlib
from pathlib import Path
from typing import Protocol

from martlet_api.contract import Input
from martlet_runtime.artifacts import Listing
from martlet_runtime.paths import Paths


class Source(Protocol):
    """What each module here offers."""

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


def source_of(wanted: Input) -> Source:
    """The source for an input's URI; the API admits no other scheme."""
    scheme = wanted.uri.partition("://")[0]
    source: Source = importlib.import_module(_MODULES[scheme]).SOURCE
    return source
