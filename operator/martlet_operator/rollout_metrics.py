"""What Prometheus is told of services and their rollouts. A series goes with what it tells of."""

from collections import Counter as Tally
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Gauge

from martlet_api.durations import seconds
from martlet_api.inferenceservice import CanaryRevision, InferenceServiceStatus

Object = dict[str, Any]

_SERVICE = ["namespace", "service"]

WANTED = Gauge("martlet_service_wanted_replicas", "Pods that the spec asks for.", _SERVICE)

READY = Gauge(
    "martlet_service_ready_replicas", "Ready pods of the stable revision.", [*_SERVICE, "revision"]
)
REJECTED = Gauge(
    "martlet_service_rejected_revisions",
    "Revisions that are not tried again without a new spec.retry, by why.",
    [*_SERVICE, "reason"],
)
WEIGHT = Gauge(
    "martlet_rollout_weight_percent",
    "Percent of the requests that the gateway is asked to send to a revision.",
    [*_SERVICE, "revision", "role"],
)
STATE = Gauge(
    "martlet_rollout_state", "1 for the state that a rollout is in.", [*_SERVICE, "state"]
)
STARTED = Gauge(
    "martlet_rollout_started_timestamp_seconds", "When a rollout began, in Unix time.", _SERVICE
)
DEADLINE = Gauge(
    "martlet_rollout_deadline_timestamp_seconds",
    "When spec.canary.maxDuration is over, in Unix time.",
    _SERVICE,
)
VERDICT = Gauge(
    "martlet_rollout_guard_verdict",
    "1 for the verdict of a guard: Pass, Fail, Insufficient, NoData or ProviderError.",
    [*_SERVICE, "guard", "verdict"],
)
PROGRESS = Gauge(
    "martlet_rollout_guard_progress_ratio",
    "How far a guard's evidence has come towards Fail or Pass: 1 is there.",
    [*_SERVICE, "guard", "towards"],
)
WATCHED = Gauge(
    "martlet_rollout_watched_timestamp_seconds",
    "The end of the last window of metrics that was judged, in Unix time.",
    _SERVICE,
)
ENDED = Counter(
    "martlet_rollouts_ended",
    "Rollouts by how they ended: Promoted, RolledBack or Withdrawn.",
    [*_SERVICE, "result"],
)

RESULTS = ("Promoted", "RolledBack", "Withdrawn")

Series = tuple[Gauge, tuple[str, ...]]


class RolloutMetrics:
    """Keeps the gauges true as services change and go."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], set[Series]] = {}

    def see(
        self,
        resource: Object,
        former: InferenceServiceStatus,
        status: InferenceServiceStatus,
        watched: float | None = None,
    ) -> None:
        """A pass over a service: its status before and after. ``watched``: the end of the window
        that it judged, in Unix time."""
        namespace, service = (resource["metadata"][key] for key in ("namespace", "name"))
        told: dict[Series, float | None] = {
            (gauge, (namespace, service, *rest)): value
            for gauge, rest, value in _told(resource["spec"], status)
        }
        kept = {s for s in self._known.get((namespace, service), set()) if s[0] is WATCHED}
        if watched is not None:
            told[WATCHED, (namespace, service)] = watched
        elif status.canary:
            told.update(dict.fromkeys(kept))
        self._set(namespace, service, told)
        if status.canary:
            # From 0 on: Prometheus sees no increase in a counter that begins with 1.
            for each in RESULTS:
                ENDED.labels(namespace, service, each)
        if result := ended(former, status):
            ENDED.labels(namespace, service, result).inc()

    def forget(self, namespace: str, service: str) -> None:
        """The service is gone."""
        self._set(namespace, service, {})
        for each in RESULTS:
            ENDED.remove(namespace, service, each)

    def _set(self, namespace: str, service: str, told: dict[Series, float | None]) -> None:
        """A value of None stays as it is."""
        former = self._known.pop((namespace, service), set())
        for gauge, labels in former - told.keys():
            gauge.remove(*labels)
        for (gauge, labels), value in told.items():
            if value is not None:
                gauge.labels(*labels).set(value)
        if told:
            self._known[namespace, service] = set(told)


Told = Iterator[tuple[Gauge, tuple[str, ...], float]]


def _told(spec: Object, status: InferenceServiceStatus) -> Told:
    """``spec`` is the live one, which is not checked and has the API server's defaults."""
    yield WANTED, (), spec.get("replicas", 1)
    for reason, count in Tally(entry.reason for entry in status.rejected or []).items():
        yield REJECTED, (reason,), count
    if stable := status.stable:
        yield READY, (stable.revision,), stable.ready_replicas
        yield WEIGHT, (stable.revision, "stable"), stable.weight or 0
    if canary := status.canary:
        yield from _of_rollout(spec, canary)


def _of_rollout(spec: Object, canary: CanaryRevision) -> Told:
    started = datetime.fromisoformat(canary.started_at).timestamp()
    yield WEIGHT, (canary.revision, "canary"), canary.weight or 0
    yield STATE, (canary.state,), 1
    yield STARTED, (), started
    if most := (spec.get("canary") or {}).get("maxDuration"):
        yield DEADLINE, (), started + seconds(most)
    yield from _guards(canary)


def _guards(canary: CanaryRevision) -> Told:
    for told in canary.evidence:
        yield VERDICT, (told.guard, told.verdict), 1
        yield PROGRESS, (told.guard, "fail"), told.to_fail
        yield PROGRESS, (told.guard, "pass"), told.to_pass


def ended(former: InferenceServiceStatus, status: InferenceServiceStatus) -> str | None:
    """How the rollout ended that was on its way before; None where none was, or it still is."""
    before = former.canary
    if before is None or (status.canary and status.canary.revision == before.revision):
        return None
    if status.stable and status.stable.revision == before.revision:
        return "Promoted"
    rejected = {(r.revision, r.at) for r in status.rejected or []}
    known = {(r.revision, r.at) for r in former.rejected or []}
    return "RolledBack" if rejected - known else "Withdrawn"
