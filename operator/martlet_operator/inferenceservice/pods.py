"""What the pods of a revision say."""

from typing import Any

from martlet_api import labels
from martlet_api.conditions import Reason
from martlet_api.inferenceservice import Timings
from martlet_operator.engines.container import CONTAINER as ENGINE
from martlet_operator.pods import states
from martlet_operator.pods.states import Trouble
from martlet_operator.reconcile.snapshot import Snapshot

Object = dict[str, Any]

_CRASHES = 3


def ready_count(snapshot: Snapshot, revision: str) -> int:
    deployment = snapshot.owned_object("Deployment", revision)
    return int((deployment or {}).get("status", {}).get("readyReplicas", 0))


def of_revision(snapshot: Snapshot, revision: str) -> list[Object]:
    return states.newest_first(snapshot.pods_with(labels.REVISION, revision))


def fatal(pods: list[Object], *, serves: bool) -> Trouble | None:
    """What the same pods would run into again: the revision is given up. An engine that ``serves``
    must not die once."""
    for pod in pods:
        stage = states.restarting(pod, "stage", 0)
        if stage and stage.user_error:
            return stage
        crashes = 1 if serves else _CRASHES
        if crash := states.restarting(pod, ENGINE, crashes):
            reason = crash.reason if crash.user_error else Reason.CRASH_LOOP
            times = "under load" if serves else f"{_CRASHES} times"
            return Trouble(reason, f"The engine died {times}. {crash.message}", True)
    return None


def passing(snapshot: Snapshot, revision: str) -> Trouble | None:
    """What keeps the pods of a revision from getting on now."""
    pods = of_revision(snapshot, revision)
    for pod in pods:
        found = (
            states.blocked(pod)
            or states.restarting(pod, "stage", 1)
            or states.restarting(pod, ENGINE, 1)
        )
        if found:
            return found
    return None if pods else _refused(snapshot, revision)


def _refused(snapshot: Snapshot, revision: str) -> Trouble | None:
    deployment = snapshot.owned_object("Deployment", revision)
    for condition in (deployment or {}).get("status", {}).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Trouble(
                Reason.POD_REFUSED,
                f"The pod was refused: {condition.get('message', '')}. It is tried again by "
                "itself; change the namespace's quota or policy, or spec.pod.",
            )
    return None


def timings(pods: list[Object]) -> Timings | None:
    """When each part of the way to Ready was over, of the oldest pod."""
    if not pods:
        return None
    pod = pods[-1]
    since = {
        c["type"]: c.get("lastTransitionTime")
        for c in pod.get("status", {}).get("conditions", [])
        if c["status"] == "True"
    }
    by_name = {s["name"]: s.get("state", {}) for s in states.container_statuses(pod)}
    return Timings(
        scheduled=since.get("PodScheduled"),
        staged=by_name.get("stage", {}).get("terminated", {}).get("finishedAt"),
        engine_started=by_name.get(ENGINE, {}).get("running", {}).get("startedAt"),
        ready=since.get("Ready"),
    )
