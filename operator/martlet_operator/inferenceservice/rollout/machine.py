"""The next state of a rollout, from what is seen and the clock. Pure; nothing is remembered but the
Rollout.

    Loading -> Stepping (a step after another) -> Promoting -> Baking -> the new stable one
       any of them -> RollingBack -> the former stable one

Promoting gives the canary all requests; roles change at the end of Baking, and nothing is loaded
again. Rolling back takes the requests away first, waits until the gateway has taken that, and only
then ends the pods. Only what fails rolls back: what is not known yet holds the weight.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from martlet_api.canary import Canary
from martlet_api.conditions import Reason
from martlet_api.durations import seconds
from martlet_operator.inferenceservice.rollout.shares import pods_of, weight_of, weights
from martlet_operator.inferenceservice.rollout.state import Failure, Rollout, Seen, Turn

UNREADY_SECONDS = 120
"""A pod that was drained or restarted is back by then; a canary that is not has failed."""

PULL_SECONDS = 300
"""So long an image may be missing: a registry that is down for a moment is no fault of the
canary's."""


def advance(
    spec: Canary | None, replicas: int, rollout: Rollout, seen: Seen, now: datetime
) -> Turn:
    """One pass. ``replicas`` is what the spec asks for of the whole service."""
    rollout = _readiness(rollout, seen, now)
    if rollout.state == "RollingBack":
        return _rolling_back(rollout, seen)
    if failure := _failure(spec, rollout, seen, now):
        return _roll_back(rollout, seen, failure)
    if rollout.stable is None:
        return _first(replicas, rollout, seen)
    return _forward(spec, replicas, _counted(rollout, seen, now), seen, now)


def _readiness(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    if seen.ready.get(rollout.revision, 0) or rollout.state == "Loading":
        return replace(rollout, unready_since=None)
    return replace(rollout, unready_since=rollout.unready_since or now)


def _failure(spec: Canary | None, rollout: Rollout, seen: Seen, now: datetime) -> Failure | None:
    """Why the canary must go back, from whichever state; None where nothing speaks against it."""
    if seen.wanted and seen.wanted.revision != rollout.revision:
        text = f"Revision {seen.wanted.revision} is asked for instead."
        return Failure(Reason.WITHDRAWN, text, withdrawn=True)
    if found := seen.barred or seen.trouble:
        return found
    if seen.unpulled and rollout.stable and _age(rollout.started_at, now) >= PULL_SECONDS:
        return seen.unpulled
    if rollout.unready_since and _age(rollout.unready_since, now) >= UNREADY_SECONDS:
        text = f"Its pods have not been ready for {UNREADY_SECONDS} s."
        return Failure(Reason.CANARY_UNREADY, text)
    failed = [text for verdict, text in seen.verdicts.values() if verdict == "Fail"]
    if failed:
        return Failure(Reason.GUARD_FAILED, " ".join(failed))
    return _overdue(spec, rollout, seen, now)


def _overdue(spec: Canary | None, rollout: Rollout, seen: Seen, now: datetime) -> Failure | None:
    if spec is None or spec.on_inconclusive == "Hold" or rollout.state in ("Promoting", "Baking"):
        return None
    if not is_overdue(spec, rollout, now):
        return None
    told = " ".join(text for verdict, text in seen.verdicts.values() if verdict != "Pass")
    text = f"It was not decided within maxDuration ({spec.max_duration}). {told}".strip()
    return Failure(Reason.INCONCLUSIVE, text)


def is_overdue(spec: Canary, rollout: Rollout, now: datetime) -> bool:
    return _age(rollout.started_at, now) >= seconds(spec.max_duration)


def _roll_back(rollout: Rollout, seen: Seen, failure: Failure) -> Turn:
    """Where nothing else serves, no requests are to be taken away."""
    if rollout.stable is None:
        return _ended(failure)
    back = replace(rollout, state="RollingBack", since=None, failure=failure)
    return _rolling_back(back, seen)


def _rolling_back(rollout: Rollout, seen: Seen) -> Turn:
    back = replace(rollout, weight=weight_of(rollout, seen, 0))
    if back.failure and back.weight == 0 and _is_taken(back, seen):
        return _ended(back.failure)
    return Turn(back)


def _ended(failure: Failure) -> Turn:
    return Turn(None, "Withdrawn" if failure.withdrawn else "RolledBack", failure)


def _first(replicas: int, rollout: Rollout, seen: Seen) -> Turn:
    """There is nothing to compare with, and nothing to lose."""
    loaded = seen.ready.get(rollout.revision, 0) >= replicas
    return Turn(None, "Promoted") if loaded and not seen.held else Turn(rollout)


def _counted(rollout: Rollout, seen: Seen, now: datetime) -> Rollout:
    """A step's time and requests count from when the gateway has its weight."""
    if not _is_taken(rollout, seen):
        return rollout
    if rollout.since is None:
        return replace(rollout, since=now)
    return replace(rollout, requests=rollout.requests + seen.requests)


def _is_taken(rollout: Rollout, seen: Seen) -> bool:
    """Whether the gateway sends requests as it is asked to."""
    if seen.taken is None:
        return False
    return _positive(seen.taken) == _positive(weights(rollout))


def _positive(shares: Mapping[str, int]) -> dict[str, int]:
    return {revision: weight for revision, weight in shares.items() if weight}


def _forward(
    spec: Canary | None, replicas: int, rollout: Rollout, seen: Seen, now: datetime
) -> Turn:
    if rollout.state == "Baking" and _is_baked(spec, rollout, now) and not seen.held:
        return Turn(None, "Promoted")
    if _may_go_on(spec, replicas, rollout, seen, now):
        rollout = _next(spec, rollout)
    return Turn(_weighed(spec, replicas, rollout, seen, now))


def _is_baked(spec: Canary | None, rollout: Rollout, now: datetime) -> bool:
    bake = seconds(spec.bake_time) if spec else 0
    return rollout.since is not None and rollout.weight == 100 and _age(rollout.since, now) >= bake


def _may_go_on(
    spec: Canary | None, replicas: int, rollout: Rollout, seen: Seen, now: datetime
) -> bool:
    if seen.held:
        return False
    if rollout.state == "Loading":
        first = spec.steps[0].weight if spec else 100
        return seen.ready.get(rollout.revision, 0) >= pods_of(first, replicas, rollout.spare)
    if rollout.state == "Promoting":
        return rollout.weight == 100 and rollout.since is not None
    return rollout.state == "Stepping" and _is_step_done(spec, rollout, seen, now)


def _is_step_done(spec: Canary | None, rollout: Rollout, seen: Seen, now: datetime) -> bool:
    """A spec without a canary, or with fewer steps than before, has none left."""
    if spec is None or rollout.step >= len(spec.steps):
        return True
    step = spec.steps[rollout.step]
    if rollout.since is None or rollout.weight != step.weight:
        return False
    passed = all(verdict == "Pass" for verdict, _ in seen.verdicts.values())
    long_enough = _age(rollout.since, now) >= seconds(step.min_duration)
    return passed and long_enough and rollout.requests >= step.min_requests


def _next(spec: Canary | None, rollout: Rollout) -> Rollout:
    steps = len(spec.steps) if spec else 0
    fresh = replace(rollout, since=None, requests=0)
    if rollout.state == "Promoting":
        return replace(rollout, state="Baking")
    step = 0 if rollout.state == "Loading" else rollout.step + 1
    return replace(fresh, state="Stepping" if step < steps else "Promoting", step=step)


def _weighed(
    spec: Canary | None, replicas: int, rollout: Rollout, seen: Seen, now: datetime
) -> Rollout:
    """The weight that the state asks for, once there are pods that carry it."""
    asked = _asked(spec, rollout)
    ready = seen.ready.get(rollout.revision, 0)
    enough = ready >= pods_of(asked, replicas, rollout.spare)
    weight = weight_of(rollout, seen, asked if enough or asked < rollout.weight else rollout.weight)
    if weight == rollout.weight:
        return rollout
    exposed_at = rollout.exposed_at or (now if weight else None)
    return replace(rollout, weight=weight, since=None, exposed_at=exposed_at)


def _asked(spec: Canary | None, rollout: Rollout) -> int:
    if rollout.state == "Loading":
        return 0
    if rollout.state == "Stepping" and spec and rollout.step < len(spec.steps):
        return spec.steps[rollout.step].weight
    return 100


def _age(since: datetime, now: datetime) -> float:
    return (now - since).total_seconds()
