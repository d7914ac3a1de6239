"""One pass over one resource: read, decide, write what differs."""

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from martlet_api.conditions import Condition, ConditionType, Reason
from martlet_api.kinds import KINDS
from martlet_operator import metrics
from martlet_operator.batch.run import with_ready
from martlet_operator.cluster import events
from martlet_operator.cluster.accelerators import Accelerators
from martlet_operator.cluster.client import Client
from martlet_operator.cluster.room import Room
from martlet_operator.cluster.routing import Routing
from martlet_operator.conditions.fold import Ready, find
from martlet_operator.errors import ApiError, Conflict, NameTaken, NotFound, Refused, Unavailable
from martlet_operator.inputs.references import references_of
from martlet_operator.pods.cache_use import CacheCount
from martlet_operator.reconcile import kinds
from martlet_operator.reconcile.decision import Decision
from martlet_operator.reconcile.dependents import Dependents
from martlet_operator.reconcile.gather import gather
from martlet_operator.reconcile.kept import Kept
from martlet_operator.reconcile.queue import Key
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.reconcile.watching import Watch
from martlet_operator.reconcile.writing import Writer
from martlet_operator.rollout_metrics import RolloutMetrics
from martlet_operator.settings import Settings

Object = dict[str, Any]
log = logging.getLogger(__name__)

_CONDITIONS = TypeAdapter(list[Condition])
_TOLD = (ConditionType.RESOLVED, ConditionType.ROUTED, ConditionType.READY)
"""Conditions of which a change is an Event."""
_REFUSED_AGAIN_SECONDS = 30.0
"""What refused may be mended without an event that we see: a quota, a policy, another's object."""
_FAILING_SECONDS = 60.0
"""What the API server fails at for so long is told: a webhook is down, a range is full."""


class Reconciler:
    """Holds what is remembered for speed alone; a new one comes to the same results."""

    def __init__(
        self, client: Client, settings: Settings, dependents: Dependents, kept: Kept
    ) -> None:
        self._client, self._settings = client, settings
        self._dependents, self._kept = dependents, kept
        self._writer = Writer(client)
        self._phases, self._rollouts = metrics.PhaseCount(), RolloutMetrics()
        self._accelerators, self._room = Accelerators(), Room()
        self._routing = Routing()
        self._watch = Watch(settings.prometheus)
        self._caches = CacheCount(datetime.now(UTC))
        self._failing_since: dict[Key, float] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Brings one resource forward; returns the seconds after which it must be seen again.

        Raises the errors of ``martlet_operator.errors`` where the API server cannot answer: the
        loop tries again. What it fails to write for a minute stands in the status.
        """
        started = time.monotonic()
        try:
            again = await self._reconcile(key)
        except Exception:
            metrics.RECONCILES.labels(controller=key.kind, result="error").inc()
            raise
        finally:
            seconds = time.monotonic() - started
            metrics.RECONCILE_SECONDS.labels(controller=key.kind).observe(seconds)
        result = "requeue_after" if again else "success"
        metrics.RECONCILES.labels(controller=key.kind, result=result).inc()
        return again

    async def _reconcile(self, key: Key) -> float | None:
        snapshot, decision = await self._settled(key)
        if decision is None:
            snapshot = await self._whole(key, snapshot)
            if snapshot is None:
                self._forget(key)
                return None
            decision = self._decide(key, snapshot)
        assert snapshot is not None
        return await self._carry_out(key, snapshot, decision)

    async def _settled(self, key: Key) -> tuple[Snapshot | None, Decision | None]:
        """By what is kept, as far as there is any, and if nothing but the status changes by it: no
        object is written on the word of what was read before."""
        kept = self._kept.recall(key)
        if kept is None:
            return None, None
        snapshot = await self._again(key, kept)
        decision = self._decide(key, snapshot)
        return snapshot, decision if self._writer.is_done(snapshot, decision) else None

    async def _whole(self, key: Key, before: Snapshot | None) -> Snapshot | None:
        """All of it anew, but for pages that were read just now; None where it is gone."""
        self._kept.begin(key)
        resource = await self._client.get(key.kind, key.namespace, key.name)
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            return None
        self._dependents.names(key, references_of(resource))
        snapshot = await gather(
            self._client, key, resource, self._accelerators, self._room, self._routing
        )
        self._kept.keep(key, snapshot)
        if before and _arms(before.resource) == _arms(resource):
            return replace(snapshot, watched=before.watched)
        watched = await self._watch.look(key, resource, snapshot.pods)
        return replace(snapshot, watched=watched)

    async def _again(self, key: Key, kept: Snapshot) -> Snapshot:
        """What was kept, with the pages and the way in as they are now."""
        roads = await self._routing.look(self._client, kept.resource)
        watched = await self._watch.look(key, kept.resource, kept.pods)
        return replace(kept, watched=watched, roads=roads)

    def _forget(self, key: Key) -> None:
        """What it owns has an owner reference: the garbage collector takes it."""
        self._dependents.forget(key)
        self._watch.forget(key)
        self._kept.forget(key)
        self._phases.set(*key, None)
        self._failing_since.pop(key, None)
        if key.kind == "InferenceService":
            self._rollouts.forget(key.namespace, key.name)

    async def _carry_out(self, key: Key, snapshot: Snapshot, decision: Decision) -> float | None:
        self._caches.note(snapshot.pods, snapshot.cache)
        try:
            await self._writer.write(snapshot, decision)
            status, again = decision.status, decision.again_after
            self._failing_since.pop(key, None)
        except (Refused, NotFound, Unavailable) as error:
            if isinstance(error, Unavailable) and not self._fails_for_long(key):
                raise
            log.warning("%s %s/%s: %s", *key, error)
            status, again = _refused(snapshot, decision, error), _REFUSED_AGAIN_SECONDS
        # After the objects: an operator killed in between writes both again.
        await self._write_status(key, snapshot, status)
        self._phases.set(*key, status.phase)
        self._count_rollout(key, snapshot, status)
        return again

    def _fails_for_long(self, key: Key) -> bool:
        now = time.monotonic()
        return now - self._failing_since.setdefault(key, now) >= _FAILING_SECONDS

    def _count_rollout(self, key: Key, snapshot: Snapshot, status: Any) -> None:
        if key.kind != "InferenceService":
            return
        former = _former_status(key.kind, snapshot.resource)
        window = snapshot.watched.window
        until = window.end if window else None
        self._rollouts.see(snapshot.resource, former, status, until)

    def _decide(self, key: Key, snapshot: Snapshot) -> Decision:
        now = datetime.now(UTC)
        try:
            parsed = kinds.parse(key.kind, snapshot.resource)
        except ValidationError as error:
            return self._invalid(key, snapshot, error, now)
        return kinds.decide(key.kind, parsed, snapshot, self._settings, now)

    def _invalid(
        self, key: Key, snapshot: Snapshot, error: ValidationError, now: datetime
    ) -> Decision:
        """A spec that an older CRD let through: say so and touch nothing."""
        text = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        ready = Ready("False", Reason.INVALID_SPEC, f"{text}. Correct the spec.")
        former = _former_status(key.kind, snapshot.resource)
        status = with_ready(former, ready, snapshot.generation, now, finished=True)
        everything = tuple(next(iter(o["metadata"]["labels"].items())) for o in snapshot.owned)
        return Decision(status, keep=everything)

    async def _write_status(self, key: Key, snapshot: Snapshot, status: Any) -> None:
        """Once, if it changed; then an Event if Ready's reason did."""
        resource = snapshot.resource
        wanted = status.to_dict()
        if wanted == (resource.get("status") or {}):
            return
        metadata = resource["metadata"]
        written = await self._client.apply_status(
            {
                "apiVersion": resource["apiVersion"],
                "kind": resource["kind"],
                "metadata": {key: metadata[key] for key in ("name", "namespace", "uid")},
                "status": wanted,
            }
        )
        self._kept.write(key, written)
        await self._tell(resource, status)

    async def _tell(self, resource: Object, status: Any) -> None:
        """That a condition has another reason; and what was locked for whom, once for each run."""
        for kind in _TOLD:
            now, former = find(status.conditions, kind), _former(resource, kind)
            if now and not (former and former.reason == now.reason):
                await self._record(resource, now)

    async def _record(self, resource: Object, now: Condition) -> None:
        is_warning = now.status == "False" or now.reason == Reason.SESSION_PERSISTENCE
        kind = "Warning" if is_warning else "Normal"
        new = events.event(resource, kind, now.reason, now.message, datetime.now(UTC))
        try:
            await events.record(self._client, new)
        except Conflict:
            log.debug("this was told already within the second: %s", now.reason)
        except Refused as error:
            log.warning("Event about %s was refused: %s", resource["metadata"]["name"], error)


def _arms(resource: Object) -> list[Any]:
    """The revisions whose pages are read."""
    status = resource.get("status") or {}
    return [(status.get(arm) or {}).get("revision") for arm in ("stable", "canary")]


def status_class(kind: str) -> Any:
    """The status class of a kind."""
    annotation = KINDS[kind].model_fields["status"].annotation
    return annotation.__args__[0] if annotation is not None else None


def _former_status(kind: str, resource: Object) -> Any:
    """The status as it stands; an empty one where it cannot be read."""
    try:
        return status_class(kind).model_validate(resource.get("status") or {})
    except ValidationError:
        return status_class(kind)()


def _refused(snapshot: Snapshot, decision: Decision, error: ApiError) -> Any:
    """The status of what could not be written. Its transition time follows what was said last, not
    what would have been said."""
    did = "fails at" if isinstance(error, Unavailable) else "refused"
    text = f"The API server {did} what this needs: {error.message} It is tried again."
    reason = Reason.NAME_TAKEN if isinstance(error, NameTaken) else Reason.REFUSED_BY_API
    former = _former(snapshot.resource, ConditionType.READY)
    others = [c for c in decision.status.conditions or [] if c.type != ConditionType.READY]
    status = decision.status.model_copy(
        update={"conditions": [*others, *([former] if former else [])]}
    )
    ready = Ready("False", reason, text)
    return with_ready(status, ready, snapshot.generation, datetime.now(UTC), finished=False)


def _former(resource: Object, kind: ConditionType) -> Condition | None:
    found = (resource.get("status") or {}).get("conditions", [])
    return find(_CONDITIONS.validate_python(found), kind)
