"""Buildah's image store, kept in a folder of its own: the only place that starts buildah."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog import ROOT

INPUTS_LABEL = "dev.martlet.inputs"
LAST_LINES = 30


class BuildError(Exception):
    """Buildah or what it ran has failed; the message ends with the last lines of the log."""


@dataclass(frozen=True)
class Store:
    """``folder`` holds layers (root), locks (run), logs and scratch files (tmp)."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """A buildah command line on this store."""
        places = ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        return ["buildah", *places, "--storage-driver", "overlay", *arguments]

    def answer(self, *arguments: str) -> str:
        """What buildah prints. Raises BuildError with what it complains of."""
        done = subprocess.run(
            self.command(*arguments), env=self._environment(), capture_output=True, text=True
        )
        if done.returncode:
            raise BuildError(f"buildah {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def logged(self, name: str, command: list[str]) -> None:
        """Run a long command with its output in ``NAME.log``. Raises BuildError with its end."""
        log = self.folder / f"{name}.log"
        with log.open("w") as output:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
            raise BuildError(f"{name} was not built; all of it is in {log}, the end is:\n{end}")

    def inputs(self, tag: str) -> str | None:
        """The digest of inputs that the image was built from; None where there is no image."""
        images = json.loads(self.answer("images", "--all", "--json") or "null") or []
        if not any(tag in (image.get("names") or []) for image in images):
            return None
        inspected = json.loads(self.answer("inspect", "--type", "image", tag))
        labels = inspected["OCIv1"]["config"].get("Labels") or {}
        digest: str | None = labels.get(INPUTS_LABEL)
        return digest

    def size(self, tag: str) -> str:
        """For people: ``5.9 GB``, all layers together."""
        return self.answer("images", "--format", "{{.Size}}", tag).splitlines()[0]

    def clear_leftovers(self) -> None:
        """Remove working containers of killed builds, images without a name, scratch files."""
        self.answer("rm", "--all")
        self.answer("rmi", "--prune")
        for file in (self.folder / "tmp").glob("*"):
            file.unlink() if file.is_file() else subprocess.run(["rm", "-rf", str(file)])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other builds out: a second one waits here."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.folder / "tmp")}
