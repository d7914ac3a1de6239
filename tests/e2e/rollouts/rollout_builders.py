"""Short ways to what was recorded of a rollout; times in seconds from BEGIN."""

from __future__ import annotations

from typing import Any

from rollouts.load import Record
from rollouts.timeline import Route, Status

BEGIN = 1.7e9
Object = dict[str, Any]


def status(at: float, state: str | None = None, **more: Any) -> Status:
    canary = "r-green" if state else None
    fields = {"reason": "", "message": "", "stable": "r-blue", "canary": canary, **more}
    return Status(BEGIN + at, state=state, **fields)


def route(at: float, blue: int, green: int, *, accepted: bool = True) -> Route:
    return Route(BEGIN + at, {"r-blue": blue, "r-green": green}, accepted)


def record(at: float, revision: str | None = "blue", **more: Any) -> Record:
    """A complete answer; ``error`` makes it a lost one."""
    fields = {"kind": "chat", "question": "q", "first": 0.1, "took": 0.5, "status": 200, **more}
    fields.setdefault("error", None)
    return Record(number=0, started=BEGIN + at, revision=revision, right=True, **fields)


def service(
    generation: int = 2,
    observed: int = 2,
    ready: str = "True",
    reason: str = "Serving",
    **status: Any,
) -> Object:
    """An InferenceService as the API server tells it."""
    condition = {
        "type": "Ready",
        "status": ready,
        "reason": reason,
        "message": f"{reason}.",
        "observedGeneration": observed,
    }
    return {
        "kind": "InferenceService",
        "metadata": {"name": "rollout", "generation": generation},
        "status": {"conditions": [condition], "stable": {"revision": "r-blue"}, **status},
    }
