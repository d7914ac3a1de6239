"""Writes configuration files."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write at once or not at all, and leave a file alone that says the same already.

    kube-proxy ends itself when its file is touched, and nothing reads a half-written one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() == text:
        return
    partial = path.with_name(f"{path.name}.partial")
    partial.touch(mode=mode)
    partial.write_text(text)
    os.replace(partial, path)
