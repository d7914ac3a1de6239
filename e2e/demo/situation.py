"""What machine and cluster are like when a test fails, for one who was not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cluster import existing, status
from cluster.settings import Settings
from cluster.shell import CommandError
from demo import install, road
from demo.kube import connect

_LINES = 40
_QUESTIONS = {
    "nodes": ("get", "nodes"),
    "resources": ("get", road.KINDS, "--all-namespaces", "-o", "wide"),
    "pods": ("get", "pods", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"),
    "events": ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
    "operator": (
        *("logs", "-n", install.NAMESPACE, "--timestamps", f"--tail={_LINES}"),
        *("-l", install.OPERATOR),
    ),
}


def lines(settings: Settings) -> list[str]:
    """Load, memory and disk; the daemons; resources; the last pods, events, log lines."""
    found = [_machine(settings)]
    if not existing.wanted():
        found += status.status(settings)[0]
    for title, words in _QUESTIONS.items():
        found += [f"{title}:", *_asked(settings, words)[-_LINES:]]
    return found


def _machine(settings: Settings) -> str:
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    disk = shutil.disk_usage(settings.folder.parent)
    return (
        f"load {os.getloadavg()[0]:.1f}, memory available {memory['MemAvailable'].strip()}, "
        f"disk free {disk.free // 10**9} GB"
    )


def _asked(settings: Settings, words: tuple[str, ...]) -> list[str]:
    """An answer that does not come is told in its place."""
    try:
        return connect(settings)("--request-timeout=10s", *words).splitlines()
    except (CommandError, FileNotFoundError, KeyError) as error:
        return [str(error)]
