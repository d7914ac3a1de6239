"""What Prometheus is told of services and their rollouts. A series goes with what it tells of."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import Counter, Gauge

from martlet_api.inferenceservice import CanaryRevision, InferenceServiceStatus

_SERVICE = ["namespace", "service"]

READY = Gauge(
    "martlet_service_ready_replicas", "Ready pods of the stable revision.", [*_SERVICE, "revision"]
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
        namespace: str,
        service: str,
        former: InferenceServiceStatus,
        status: InferenceServiceStatus,
        watched: float | None = None,
    ) -> None:
        """A pass over a service: its status before and after. ``watched``: the end of the window
        that it judged, in Unix time."""
        told: dict[Series, float | None] = {
            (gauge, (namespace, service, *rest)): value for gauge, rest, value in _told(status)
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


def _told(status: InferenceServiceStatus) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
    if stable := status.stable:
        yield READY, (stable.revision,), stable.ready_replicas
        yield WEIGHT, (stable.revision, "stable"), stable.weight or 0
    if canary := status.canary:
        yield WEIGHT, (canary.revision, "canary"), canary.weight or 0
        yield STATE, (canary.state,), 1
        yield STARTED, (), datetime.fromisoformat(canary.started_at).timestamp()
        yield from _guards(canary)


def _guards(canary: CanaryRevision) -> Iterator[tuple[Gauge, tuple[str, ...], float]]:
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
