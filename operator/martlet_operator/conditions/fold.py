"""The one setter of conditions, and the phase that follows from them."""

from dataclasses import dataclass
from datetime import datetime

from martlet_api.conditions import Condition, ConditionStatus, ConditionType, Reason

_MESSAGE_LIMIT = 2000


@dataclass(frozen=True)
class Ready:
    """What the Ready condition is to say."""

    status: ConditionStatus
    reason: Reason
    message: str


def timestamp(now: datetime) -> str:
    """RFC 3339, to the second, as Kubernetes writes it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def with_condition(
    conditions: list[Condition] | None,
    kind: ConditionType,
    ready: Ready,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """The list with one condition set; its transition time moves only with its status."""
    former = find(conditions, kind)
    since = (
        former.last_transition_time if former and former.status == ready.status else timestamp(now)
    )
    new = Condition(
        type=kind,
        status=ready.status,
        reason=ready.reason,
        message=ready.message[:_MESSAGE_LIMIT],
        last_transition_time=since,
        observed_generation=generation,
    )
    others = [c for c in conditions or [] if c.type != kind]
    return sorted([*others, new], key=lambda condition: condition.type)


def find(conditions: list[Condition] | None, kind: ConditionType) -> Condition | None:
    return next((c for c in conditions or [] if c.type == kind), None)


_PHASES: dict[Reason, str] = {
    Reason.WAITING_FOR_REFERENCE: "Waiting",
    Reason.REFERENCE_NOT_FOUND: "Waiting",
    Reason.REFERENCE_FAILED: "Waiting",
    Reason.WAITING_FOR_GATE: "Waiting",
    Reason.GATE_NOT_PASSED: "Waiting",
    Reason.SCALED_TO_ZERO: "Idle",
    Reason.CANARY_STEP: "Canary",
    Reason.ROLLED_BACK: "RolledBack",
}


def phase(ready: Ready, *, finished: bool) -> str:
    """One word for people: the reason itself while work goes on, Blocked or Failed otherwise."""
    if ready.reason in _PHASES:
        return _PHASES[ready.reason]
    if ready.status == "False":
        return "Failed" if finished else "Blocked"
    return str(ready.reason)
