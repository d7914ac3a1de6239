"""Small builders: an input, what brings it, and a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from martlet_api.contract import Input
from martlet_runtime.artifacts import list_files
from martlet_runtime.cache import Store

SLOW = """
import sys, time
from pathlib import Path
from cache_builders import model, store, fill
volume, holder, text, log, seconds = sys.argv[1:]
def bring(path):
    with open(log, "a") as stream:
        stream.write(f"{holder}\\n")
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    print("bringing", flush=True)
    time.sleep(float(seconds))
    fill(path, text)
found = store(Path(volume), holder).provide(model(Path(volume), text), lambda: len(text), bring)
assert found
print(found[0].joinpath("model.safetensors").read_text(), flush=True)
"""


def store(volume: Path, holder: str = "pod", limit: int = 1000) -> Store:
    return Store(volume, limit, holder)


def fill(path: Path, text: str) -> None:
    """A model of len(text) + 2 bytes."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_text(text)


def model(scratch: Path, text: str) -> Input:
    """The input that ``fill`` brings, with its digest."""
    folder = scratch / f"source-{hash(text)}-{os.getpid()}"
    fill(folder, text)
    digest = list_files(folder).digest
    return Input(name="model", kind="Model", uri="hf://org/model", digest=digest)


def key(wanted: Input) -> str:
    assert wanted.digest is not None
    return wanted.digest.removeprefix("sha256:")


class Bringer:
    """Counts how often it was asked."""

    def __init__(self, text: str) -> None:
        self.text, self.calls = text, 0

    def __call__(self, path: Path) -> None:
        self.calls += 1
        fill(path, self.text)


def provide(cache: Store, scratch: Path, text: str) -> tuple[Path | None, Bringer]:
    """What the cache gives for a model with this text as its weights."""
    bring = Bringer(text)
    found = cache.provide(model(scratch, text), lambda: len(text) + 2, bring)
    return (found[0] if found else None), bring


def process(volume: Path, holder: str, text: str, log: Path, seconds: float) -> subprocess.Popen:
    """Another pod that brings the same, slowly."""
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(volume), holder, text, str(log), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )


def age(path: Path, seconds: float) -> None:
    stamp = time.time() - seconds
    os.utime(path, (stamp, stamp))
