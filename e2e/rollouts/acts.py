"""What happens to a rollout while it is on its way: called at each look, each acts once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from demo import install
from demo.kube import Kube, Object
from rollouts.timeline import Timeline

_OPERATOR = ("-l", install.OPERATOR)


@dataclass
class KillOperator:
    """Deletes the operator's pod when the canary is first seen in each of the states."""

    kube: Kube
    states: frozenset[str]
    killed_in: set[str] = field(default_factory=set)

    def __call__(self, item: Object, timeline: Timeline) -> None:
        state = canary_of(item).get("state")
        if state in self.states - self.killed_in:
            self.killed_in.add(state)
            self.kube("delete", "pod", "-n", install.NAMESPACE, *_OPERATOR, "--wait=false")
            timeline.mark("operator killed")


@dataclass
class When:
    """Does something once it is time for it."""

    is_time: Callable[[Object], bool]
    act: Callable[[], None]
    text: str
    seen: Object = field(default_factory=dict)
    """The canary's status at that time; empty before."""

    def __call__(self, item: Object, timeline: Timeline) -> None:
        if not self.seen and self.is_time(item):
            self.seen = canary_of(item)
            timeline.mark(self.text)
            self.act()


def in_first_step(item: Object, seconds: float = 3.0) -> bool:
    """The canary has had requests for a while."""
    canary = canary_of(item)
    return canary.get("state") == "Stepping" and _age(canary.get("since")) >= seconds


def age_of_rollout(item: Object) -> float:
    """Seconds."""
    return _age(canary_of(item).get("startedAt"))


def canary_of(item: Object) -> Object:
    found: Object = (item.get("status") or {}).get("canary") or {}
    return found


def _age(moment: str | None) -> float:
    if moment is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
