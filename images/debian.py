"""A base image from Debian's packages: what python:3.11-slim-bookworm is where there is no hub."""

import shutil
from pathlib import Path

from store import INPUTS_LABEL, Store

SUITE = "bookworm"
PACKAGES = ("ca-certificates", "libnuma1", "python3", "python3-venv")
SUPERFLUOUS = (
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
)


def recipe() -> str:
    """All that decides the image, for its digest."""
    return Path(__file__).read_text()


def build(store: Store, tag: str, digest: str) -> None:
    """Bootstrap straight into a working container. Needs root; raises BuildError."""
    container = store.answer("from", "scratch")
    try:
        root = Path(store.answer("mount", container))
        include = f"--include={','.join(PACKAGES)}"
        store.logged("debian", ["debootstrap", "--variant=minbase", include, SUITE, str(root)])
        _slim(root)
        store.answer("umount", container)
        store.answer("config", "--label", f"{INPUTS_LABEL}={digest}", container)
        store.answer("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        store.answer("commit", container, tag)
    finally:
        store.answer("rm", container)


def _slim(root: Path) -> None:
    for name in SUPERFLUOUS:
        shutil.rmtree(root / name)
        (root / name).mkdir()
