"""The InferenceService that rollouts are tried on, and what becomes of one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from demo import story
from rollouts import models
from rollouts.timeline import FINGERPRINT

Object = dict[str, Any]
End = Literal["Promoted", "RolledBack", "Withdrawn", "Refused"]

NAME = "rollout"
HOST = "rollout.example.com"


@dataclass(frozen=True)
class Version:
    """What makes a revision. Its answers have ``name`` as their system_fingerprint, which alone
    makes it another revision than one of another name."""

    name: str
    model: str = models.BASE
    args: tuple[str, ...] = ()
    image: str | None = None
    cpu: str | None = None
    """At most so much of the processors."""

    @property
    def pod(self) -> Object:
        limits = {"limits": {"cpu": self.cpu}} if self.cpu else None
        told = {"image": self.image, "resources": limits}
        return {key: value for key, value in told.items() if value}


def manifest(
    version: Version, canary: Object, namespace: str, gates: tuple[str, ...] = ()
) -> Object:
    """The service with this version asked for. Without a canary's steps it has none."""
    marks = ["--fingerprint-mode", "custom", FINGERPRINT, version.name]
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "model": {"uri": version.model},
            "gates": [{"evalRun": name} for name in gates],
            # Whatever was rejected before: each version is a new try.
            "retry": version.name,
            "engine": {"type": "vLLM", "maxModelLen": 256, "args": [*marks, *version.args]},
            "replicas": 1,
            "pod": version.pod,
            "endpoint": {
                "gateway": {"name": "models", "namespace": "gateway-system"},
                "hostnames": [HOST],
            },
            **({"canary": canary} if canary else {}),
        },
    }


def end_of(before: Object, item: Object) -> End | None:
    """What became of the spec as it is now, since the service was as ``before``; None while that is
    open."""
    ready, status = story.ready_of(item), item.get("status") or {}
    is_current = ready.get("observedGeneration") == item["metadata"]["generation"]
    if not is_current or status.get("canary") or ready["status"] == "Unknown":
        return None
    former = before.get("status") or {}
    if _stable(status) != _stable(former):
        return "Promoted"
    if _rejected(status) != _rejected(former):
        return "RolledBack"
    return "Withdrawn" if ready["status"] == "True" else "Refused"


def _stable(status: Object) -> str | None:
    found: str | None = (status.get("stable") or {}).get("revision")
    return found


def _rejected(status: Object) -> Object | None:
    return next(iter(status.get("rejected") or []), None)
