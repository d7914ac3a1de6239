"""Starts the cluster's daemons and knows which of them run.

A daemon joins its own cgroup and notes its process id before it becomes the program, so
a run that is killed at any moment leaves either no process or one that is found again.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cluster import cgroups
from cluster.settings import Settings

# $1 the cgroup's list of processes, $2 the file for the process id, then the command.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
LAUNCH = 'echo $$ > "$1"; echo $$ > "$2"; shift 2; exec "$@"'


class ProcessError(Exception):
    """A daemon does not start, ends, or does not become ready; the message names its log."""


def log(settings: Settings, daemon: str) -> Path:
    return settings.logs / f"{daemon}.log"


def running(settings: Settings, daemon: str) -> int | None:
    """The daemon's process id, or None when it does not run."""
    file = settings.run / f"{daemon}.pid"
    if not file.exists() or not (text := file.read_text().strip()):
        return None
    return int(text) if cgroups.holds(settings.name, daemon, int(text)) else None


def start_outside(
    settings: Settings,
    daemon: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
) -> None:
    """Start a daemon in the host's namespaces."""
    words = [str(word) for word in command]
    settings.run.mkdir(parents=True, exist_ok=True)
    settings.logs.mkdir(parents=True, exist_ok=True)
    group = cgroups.of_daemon(settings.name, daemon)
    with log(settings, daemon).open("ab") as output:
        subprocess.Popen(
            ["sh", "-ec", LAUNCH, "sh", group, settings.run / f"{daemon}.pid", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            # Nothing of the caller's environment: no proxy, no kubeconfig, no Go setting.
            env={"PATH": PATH, **(environment or {})},
            start_new_session=True,
        )
    _wait_until_launched(settings, daemon)


def keep(
    settings: Settings,
    daemon: str,
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    configuration: Sequence[Path] = (),
) -> None:
    """Let a daemon run with this command and configuration: start or restart it if it must be.

    A program of ours that was built anew counts as another configuration.
    """
    from cluster import namespace

    words = [*namespace.enter(settings), *(str(word) for word in command)]
    built = settings.bin / "built-from"
    if Path(command[0]).is_relative_to(settings.bin) and built.exists():
        configuration = [*configuration, built]
    wanted = _fingerprint(words, environment or {}, configuration)
    stamp = settings.run / f"{daemon}.wanted"
    if running(settings, daemon) is not None:
        if stamp.exists() and stamp.read_text() == wanted:
            return
        end(settings, daemon)
    settings.run.mkdir(parents=True, exist_ok=True)
    start_outside(settings, daemon, words, environment)
    stamp.write_text(wanted)


def _fingerprint(
    words: Sequence[str], environment: Mapping[str, str], configuration: Sequence[Path]
) -> str:
    parts = [*words, *(f"{name}={value}" for name, value in sorted(environment.items()))]
    parts += [path.read_text() for path in configuration]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _wait_until_launched(settings: Settings, daemon: str) -> None:
    deadline = time.monotonic() + 10
    while running(settings, daemon) is None:
        if time.monotonic() > deadline:
            raise ProcessError(_ended(settings, daemon))
        time.sleep(0.01)


def end(settings: Settings, daemon: str, seconds: float = 5.0) -> None:
    """Ask a daemon to end, wait, and kill it if it does not."""
    process = running(settings, daemon)
    if process is None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + seconds
        try:
            os.kill(process, number)
        except ProcessLookupError:
            return
        while time.monotonic() < deadline:
            if running(settings, daemon) is None:
                return
            time.sleep(0.02)
    raise ProcessError(f"{daemon} (process {process}) does not end; see {log(settings, daemon)}")


def wait_for(settings: Settings, daemon: str, ready: Callable[[], bool], *, seconds: float) -> None:
    """Poll until `ready` says so; raises ProcessError when the daemon ends or time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if running(settings, daemon) is None:
            raise ProcessError(_ended(settings, daemon))
        if time.monotonic() > deadline:
            raise ProcessError(
                f"{daemon} is not ready after {seconds:.0f} s; read {log(settings, daemon)}"
            )
        time.sleep(0.1)


def _ended(settings: Settings, daemon: str) -> str:
    file = log(settings, daemon)
    last = file.read_text(errors="replace").strip().splitlines()[-5:] if file.exists() else []
    return "\n".join([f"{daemon} ended by itself; its last lines (all in {file}):", *last])
