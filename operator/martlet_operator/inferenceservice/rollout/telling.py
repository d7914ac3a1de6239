"""What a rollout says to people. Pure.

Times are told as such and not as how long it is until then: a status is written when something
happened, and not each second.
"""

from datetime import datetime, timedelta

from martlet_api.conditions import Reason
from martlet_api.durations import seconds
from martlet_api.inferenceservice import InferenceServiceSpec, RejectedRevision
from martlet_operator.conditions.fold import Ready, timestamp
from martlet_operator.inferenceservice.rollout import planner
from martlet_operator.inferenceservice.rollout.machine import is_overdue
from martlet_operator.inferenceservice.rollout.state import Rollout, Seen

_HELD = (
    "It is over maxDuration and held by onInconclusive: Hold. Set that to Rollback, put the former "
    "spec back, or wait for more requests."
)


def rejected(entry: RejectedRevision, stable: str | None) -> Ready:
    """Ready of a service whose spec asks for what was given up."""
    goes_on = f" Revision {stable} goes on serving." if stable else ""
    what = f"Revision {entry.revision}"
    if entry.pins == "Digest":
        what += f" with model {entry.digest[:19]}"
    done = "was rolled back" if entry.pins == "Digest" else "could not be served"
    mend = "Ask for another model" if entry.pins == "Digest" else "Change the spec"
    text = f"{what} {done} ({entry.reason}): {entry.message} {mend}, or set a new spec.retry to "
    reason = Reason.ROLLED_BACK if entry.pins == "Digest" else Reason(entry.reason)
    return Ready("False", reason, f"{text}try it again.{goes_on}")


def rolling(spec: InferenceServiceSpec, rollout: Rollout, seen: Seen, now: datetime) -> Ready:
    """Ready while a revision is on its way."""
    if rollout.state == "RollingBack" and rollout.failure:
        text = f"Revision {rollout.revision} goes back: {rollout.failure.message}"
        return Ready("Unknown", Reason.ROLLING_BACK, text)
    if seen.held:
        return seen.held
    if rollout.unready_since:
        text = f"Revision {rollout.revision} has no ready pod and no requests now."
        return Ready("Unknown", Reason.CANARY_UNREADY, text)
    if rollout.state == "Stepping" and spec.canary:
        return Ready("Unknown", Reason.CANARY_STEP, _step(spec, rollout, seen, now))
    if rollout.state == "Baking":
        return Ready("Unknown", Reason.BAKING, _baking(spec, rollout))
    if rollout.weight == 100:
        return Ready("Unknown", Reason.LOADING, "Waits for the gateway to take the route.")
    price = planner.cost(spec.replicas, rollout.spare)
    loads = f"Revision {rollout.revision} loads."
    return Ready("Unknown", Reason.LOADING, f"{loads} {price}" if price else loads)


def _step(spec: InferenceServiceSpec, rollout: Rollout, seen: Seen, now: datetime) -> str:
    assert spec.canary is not None
    steps = spec.canary.steps
    step = steps[min(rollout.step, len(steps) - 1)]
    head = f"Step {rollout.step + 1} of {len(steps)}: {rollout.weight} % of requests"
    if rollout.since is None:
        return f"{head}; waits for pods and for the gateway."
    until = rollout.since + timedelta(seconds=seconds(step.min_duration))
    requests = max(0, step.min_requests - rollout.requests)
    needs = [f"until {timestamp(until)} at least"] if now < until else []
    needs += [f"{requests} more requests needed"] if requests else []
    open_ = [text for verdict, text in seen.verdicts.values() if verdict != "Pass"]
    said = " ".join([f"{', '.join([head, *needs])}.", *open_])
    return f"{said} {_HELD}" if is_overdue(spec.canary, rollout, now) else said


def _baking(spec: InferenceServiceSpec, rollout: Rollout) -> str:
    bake = timedelta(seconds=seconds(spec.canary.bake_time) if spec.canary else 0)
    until = f" until {timestamp(rollout.since + bake)}" if rollout.since else ""
    return f"Revision {rollout.revision} has all requests; {rollout.stable} stays loaded{until}."
