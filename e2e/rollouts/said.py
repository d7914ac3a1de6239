"""What gateway and engines wrote while a request was lost that no candidate is to blame for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cluster import existing, processes
from cluster.settings import from_environment
from cluster.shell import CommandError
from demo.kube import Kube
from rollouts.load import Record
from rollouts.service import NAME

_AROUND_SECONDS = 1.0
_LINES = 60


def about(kube: Kube, namespace: str, records: Iterable[Record]) -> list[str]:
    """The last lines of each log that were written while one of the records was on its way."""
    moments = [(record.started, record.started + record.took) for record in records]
    found = []
    for title, lines in {"gateway": _gateway(), **_pods(kube, namespace)}.items():
        then = [line for line in lines if _is_near(line, moments)]
        found += [f"{title}: {line}" for line in then[-_LINES:]]
    return found


def _gateway() -> list[str]:
    """Of the cluster of our own alone."""
    path = processes.log(from_environment(), "traefik")
    return path.read_text().splitlines() if path.exists() and not existing.wanted() else []


def _pods(kube: Kube, namespace: str) -> dict[str, list[str]]:
    words = ("logs", "-n", namespace, "--timestamps", "--all-containers", "--tail=-1")
    pods = kube.list("pods", namespace, f"martlet.dev/name={NAME}")
    names = [pod["metadata"]["name"] for pod in pods]
    return {name: _log(kube, *words, name) for name in names}


def _log(kube: Kube, *words: str) -> list[str]:
    """Empty for a pod that is gone by now."""
    try:
        return kube(*words).splitlines()
    except CommandError as error:
        print(error)
        return []


def _is_near(line: str, moments: list[tuple[float, float]]) -> bool:
    """Both logs begin each line with its time."""
    try:
        at = datetime.fromisoformat(line.split(" ", 1)[0]).timestamp()
    except ValueError:
        return False
    return any(begin - _AROUND_SECONDS <= at <= end + _AROUND_SECONDS for begin, end in moments)
