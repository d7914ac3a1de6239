"""Where the time went, from what Kubernetes recorded of the pods. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """A pod's life in seconds since the first pod of all was made."""

    name: str
    created: float
    started: float | None
    ended: float | None


def stages(pods: list[Object]) -> list[Stage]:
    """The pods of the road by the time they were made; the service's ends when it is ready."""
    begun = min(_time(pod["metadata"]["creationTimestamp"]) for pod in pods)
    out = [
        Stage(
            name=_name(pod),
            created=(_time(pod["metadata"]["creationTimestamp"]) - begun).total_seconds(),
            started=_since(begun, _started(pod)),
            ended=_since(begun, _ended(pod)),
        )
        for pod in pods
    ]
    return sorted(out, key=lambda stage: stage.created)


def table(found: list[Stage]) -> list[str]:
    lines = [f"{'stage':38} {'pod made':>9} {'working':>9} {'done':>9} {'seconds':>8}"]
    for stage in found:
        took = stage.ended - stage.created if stage.ended is not None else None
        lines.append(
            f"{stage.name:38} {_s(stage.created):>9} {_s(stage.started):>9} "
            f"{_s(stage.ended):>9} {_s(took):>8}"
        )
    return lines


def service_parts(service: Object, pods: list[Object]) -> list[str]:
    """The way of the service to Ready: schedule, stage, engine start with warm-up."""
    pod = next(p for p in pods if "martlet.dev/revision" in p["metadata"]["labels"])
    timings = service["status"]["timings"]
    marks = [
        _time(service["metadata"]["creationTimestamp"]),
        _time(pod["metadata"]["creationTimestamp"]),
        *(_time(timings[key]) for key in ("scheduled", "staged", "engineStarted", "ready")),
    ]
    names = ("gates", "schedule", "stage", "engine container", "engine start and warm-up")
    spans = [(b - a).total_seconds() for a, b in itertools.pairwise(marks)]
    return [f"{name:28} {span:6.0f} s" for name, span in zip(names, spans, strict=True)]


def _name(pod: Object) -> str:
    labels = pod["metadata"].get("labels", {})
    kind, name = labels.get("martlet.dev/kind", "Job"), labels.get("martlet.dev/name")
    if name is None:
        return str(labels.get("job-name", pod["metadata"]["name"]))
    return f"{kind}/{name} {labels.get('martlet.dev/stage', 'serve')}"


def _started(pod: Object) -> str | None:
    """When the first container of the last kind began."""
    for status in pod.get("status", {}).get("containerStatuses", []):
        state = status.get("state", {})
        found = state.get("terminated", state.get("running", {})).get("startedAt")
        if found:
            return str(found)
    return None


def _ended(pod: Object) -> str | None:
    for status in pod.get("status", {}).get("containerStatuses", []):
        found = status.get("state", {}).get("terminated", {}).get("finishedAt")
        if found:
            return str(found)
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            return str(condition["lastTransitionTime"])
    return None


def _since(begun: datetime, moment: str | None) -> float | None:
    return (_time(moment) - begun).total_seconds() if moment else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _s(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} s"
