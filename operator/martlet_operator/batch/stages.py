"""What the Job of one stage and its pods say together."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from martlet_api import labels
from martlet_api.conditions import Reason
from martlet_api.contract import Termination
from martlet_operator.naming import stage_name
from martlet_operator.pods import states
from martlet_operator.pods.states import Trouble
from martlet_operator.reconcile.snapshot import Snapshot

Object = dict[str, Any]

_ENGINE_RESTARTS = 3


@dataclass(frozen=True)
class StageState:
    """At most one of ``told``, ``failed`` and ``trouble`` is set.

    ``told``: the stage is done. ``failed``: it will not be tried again. ``trouble``: it does not
    get on now, but may. ``lost``: the Job is over and its pods with their result are gone.
    ``attempt``: how many pods failed, while none lives. ``stop``: the failed stage's Job or pod may
    live on and must be ended.
    """

    told: Termination | None = None
    failed: Trouble | None = None
    trouble: Trouble | None = None
    attempt: int = 0
    running: Object | None = None
    lost: bool = False
    stop: bool = False


def stage_state(snapshot: Snapshot, run: str, stage: str) -> StageState:
    """The state of a stage of a run."""
    job = snapshot.owned_object("Job", stage_name(snapshot.name, run, stage))
    pods = states.newest_first(
        p for p in snapshot.pods_with(labels.RUN, run) if _label(p, labels.STAGE) == stage
    )
    for pod in filter(states.speaks, pods):
        ended = states.termination_of(pod, stage)
        if ended and ended[0] == 0 and (told := states.parse_termination(ended[1])):
            return StageState(told=told)
    return _unfinished(job, pods, stage, snapshot)


def _speechless(pods: list[Object], stage: str) -> Trouble | None:
    """A pod that ended well but said nothing that we can read: it would say the same again."""
    for pod in filter(states.speaks, pods):
        ended = states.termination_of(pod, stage)
        if ended and ended[0] == 0:
            why = _unread(pod, stage, ended[1])
            return Trouble(Reason.POD_FAILED, why, user_error=True)
    return None


def _unread(pod: Object, stage: str, message: str) -> str:
    if count := states.cut_off(pod, message):
        return (
            f"The result of container {stage} was cut off: the kubelet keeps 12 KiB of what a "
            f"pod's containers say, in equal parts, and this pod has {count} of them. Keep others "
            "from adding containers to it, then set a new spec.retry."
        )
    said = f" It said: {message.strip()[:200]}" if message.strip() else ""
    return (
        f"Container {stage} ended well but left no result that this version can read.{said} Give "
        "spec.pod.image an image of the runtime of this version, or leave it out."
    )


def _unfinished(
    job: Object | None, pods: list[Object], stage: str, snapshot: Snapshot
) -> StageState:
    failures = [trouble for pod in pods if (trouble := states.failure(pod))]
    ended = _job_failure(job)
    if ended is not None:
        return StageState(failed=failures[0] if failures else ended)
    if failures and failures[0].user_error:
        return StageState(failed=failures[0], stop=True)
    if job and _is_complete(job):
        speechless = _speechless(pods, stage)
        return StageState(failed=speechless, lost=speechless is None)
    live = [pod for pod in pods if pod.get("status", {}).get("phase") in ("Pending", "Running")]
    if crashed := _engine_crash(live):
        return StageState(failed=crashed, stop=True)
    trouble = _trouble(live, failures, job, snapshot)
    speaking = filter(states.speaks, live)
    running = next((pod for pod in speaking if states.is_running(pod, stage)), None)
    return StageState(trouble=trouble, attempt=0 if live else _attempts(pods), running=running)


def _attempts(pods: list[Object]) -> int:
    """Pods that failed; of those that work together, at the index where most did."""
    indices = Counter(states.index_of(pod) for pod in pods if states.failure(pod))
    return max(indices.values(), default=0)


def _trouble(
    live: list[Object], failures: list[Trouble], job: Object | None, snapshot: Snapshot
) -> Trouble | None:
    for pod in live:
        if found := states.blocked(pod) or states.restarting(pod, "engine", 1):
            return found
    if not live and failures:
        return failures[0]
    warning = snapshot.warnings.get(job["metadata"]["name"]) if job else None
    if warning and not live:
        return Trouble(
            Reason.POD_REFUSED,
            f"The pod was refused: {warning} It is tried again by itself; change the namespace's "
            "quota or policy, or spec.pod.",
        )
    return None


def _engine_crash(live: list[Object]) -> Trouble | None:
    """A sidecar restarts for ever; the run is given up after a few times."""
    for pod in live:
        if crash := states.restarting(pod, "engine", _ENGINE_RESTARTS):
            text = f"The engine died {_ENGINE_RESTARTS} times. {crash.message}"
            reason = crash.reason if crash.user_error else Reason.ENGINE_FAILED
            return Trouble(reason, text, user_error=True)
    return None


def _job_failure(job: Object | None) -> Trouble | None:
    for condition in (job or {}).get("status", {}).get("conditions", []):
        if condition["type"] == "Failed" and condition["status"] == "True":
            text = condition.get("message", "no reason was given")
            return Trouble(Reason.POD_FAILED, f"The Job failed: {text}.")
    return None


def _is_complete(job: Object) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)


def _label(item: Object, name: str) -> str | None:
    value: str | None = item["metadata"].get("labels", {}).get(name)
    return value
