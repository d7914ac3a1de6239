"""Runs a command and turns its failure into a message that says what to do next."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandError(Exception):
    """A command ended with an error; the message has its last lines."""


def run(
    command: Sequence[str | Path],
    *,
    stdin: str | bytes | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Run to the end and return standard output; raises CommandError."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(f"{words[0]} is not installed ({error})") from error
    if done.returncode != 0:
        raise CommandError(failure(words, done.returncode, done.stderr.decode(errors="replace")))
    return done.stdout.decode(errors="replace")


def logged(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run to the end with all output in `log`; raises CommandError that names the log."""
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                check=False,
            )
        except FileNotFoundError as error:
            raise CommandError(f"{words[0]} is not installed ({error})") from error
    if done.returncode != 0:
        last = log.read_text(errors="replace")[-2000:]
        raise CommandError(f"{failure(words, done.returncode, last)}\nthe whole log: {log}")


def failure(words: Sequence[str], code: int, output: str) -> str:
    tail = "\n".join(output.strip().splitlines()[-8:])
    return f"`{' '.join(words)}` ended with {code}:\n{tail}"
