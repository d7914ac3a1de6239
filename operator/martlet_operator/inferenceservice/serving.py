"""What serves, and what is on its way to: the objects, the ways to them, and the status. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from martlet_api import labels
from martlet_api.conditions import ConditionType, Reason
from martlet_api.inferenceservice import InferenceServiceSpec, InferenceServiceStatus, Revision
from martlet_operator.batch.run import with_ready
from martlet_operator.conditions.fold import Ready, with_condition
from martlet_operator.inferenceservice import pods, revision, route
from martlet_operator.inferenceservice.rollout import (
    guarding,
    machine,
    planner,
    records,
    shares,
    telling,
)
from martlet_operator.inferenceservice.rollout.guarding import Judged
from martlet_operator.inferenceservice.rollout.state import Candidate, Failure, Rollout, Seen, Turn
from martlet_operator.inferenceservice.routed import routed
from martlet_operator.naming import owner_selector
from martlet_operator.reconcile.decision import Decision, keep_revisions, keep_run
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

Object = dict[str, Any]

_SOON_SECONDS = 1.0
_WATCH_SECONDS = 5.0
"""A rollout is looked at this often: time counts in it, and metrics."""
KEEP_PATHS = ("martlet.dev/part", route.PART["part"])


class Service:
    """One pass over the revisions of a service. ``want`` is the one that the spec asks for, None
    while that is not known; ``held`` is why it may not go on."""

    def __init__(
        self,
        spec: InferenceServiceSpec,
        status: InferenceServiceStatus,
        snapshot: Snapshot,
        settings: Settings,
        now: datetime,
    ) -> None:
        self.spec, self.status = spec, status
        self.snapshot, self.settings, self.now = snapshot, settings, now

    @property
    def stable(self) -> str | None:
        return self.status.stable.revision if self.status.stable else None

    @property
    def live_route(self) -> Object | None:
        return self.snapshot.owned_object("HTTPRoute", self.snapshot.name)

    def roll(
        self, want: revision.Wanted | None, *, held: Ready | None, barred: Failure | None = None
    ) -> Decision:
        """Brings a rollout forward, or begins one, or lets serve what serves."""
        rollout = self._rollout(want, held)
        if not isinstance(rollout, Rollout):
            return self._settled(want, rollout or held)
        judged = self._judged(rollout)
        seen = self._seen(rollout, judged, want, held, barred)
        turn = self._turn(rollout, seen)
        if turn.rollout:
            return self._rolling(want, turn.rollout, seen, judged)
        told = self._end(rollout, turn)
        return replace(self._settled(want, told or held), again_after=_SOON_SECONDS)

    def _rollout(self, want: revision.Wanted | None, held: Ready | None) -> Rollout | Ready | None:
        """What is on its way, or may begin now, or why it may not."""
        found = records.rollout_of(self.status)
        if found or want is None or held or want.name == self.stable:
            return found
        free = self.snapshot.free_pods if self.stable else None
        room = planner.spare(self.spec.rollout.strategy, self.spec.replicas, free)
        if isinstance(room, Ready):
            return room
        candidate = Candidate(want.name, want.model.digest)
        return records.begin(candidate, self.stable, self.now, room)

    def _judged(self, rollout: Rollout) -> Judged:
        former = self.status.canary.evidence if self.status.canary else []
        return guarding.judged(self.spec.canary, rollout, former, self.snapshot.watched)

    def _seen(
        self,
        rollout: Rollout,
        judged: Judged,
        want: revision.Wanted | None,
        held: Ready | None,
        barred: Failure | None,
    ) -> Seen:
        own = pods.of_revision(self.snapshot, rollout.revision)
        trouble = pods.fatal(own, serves=rollout.exposed_at is not None)
        arms = shares.weights(rollout)
        return Seen(
            wanted=Candidate(want.name, want.model.digest) if want else None,
            ready={name: pods.ready_count(self.snapshot, name) for name in arms},
            taken=route.taken(self.live_route) if self.spec.endpoint else arms,
            trouble=Failure(trouble.reason, trouble.message) if trouble else None,
            unpulled=self._unpulled(rollout),
            held=held,
            barred=barred,
            requests=judged.requests,
            verdicts=judged.verdicts,
        )

    def _unpulled(self, rollout: Rollout) -> Failure | None:
        found = pods.passing(self.snapshot, rollout.revision)
        if found is None or found.reason != Reason.IMAGE_CANNOT_BE_PULLED:
            return None
        return Failure(found.reason, found.message)

    def _turn(self, rollout: Rollout, seen: Seen) -> Turn:
        if self.spec.replicas == 0 and not seen.held:
            return Turn(None, "Promoted")
        return machine.advance(self.spec.canary, self.spec.replicas, rollout, seen, self.now)

    def _end(self, rollout: Rollout, turn: Turn) -> Ready | None:
        """Takes the end of a rollout into the status; returns what is to be said of a failure."""
        update: dict[str, Any] = {"canary": None}
        told = None
        if turn.ended == "Promoted":
            update["stable"] = Revision(revision=rollout.revision, digest=rollout.digest)
        elif turn.ended == "RolledBack" and turn.failure:
            new = records.rejection(rollout, turn.failure, self.spec.retry, self.now)
            update["rejected"] = records.with_rejection(self.status.rejected, new)
            told = telling.rejected(new, self.stable)
        self.status = self.status.model_copy(update=update)
        return told

    def _rolling(
        self, want: revision.Wanted | None, rollout: Rollout, seen: Seen, judged: Judged
    ) -> Decision:
        """A rollout is on its way."""
        ready = telling.rolling(self.spec, rollout, seen, self.now)
        trouble = pods.passing(self.snapshot, rollout.revision)
        if rollout.state == "Loading" and trouble and not seen.held:
            ready = Ready("False", trouble.reason, trouble.message)
        elif rollout.stable and (unrouted := self._unrouted()):
            ready = unrouted
        canary = records.told(rollout, seen.ready.get(rollout.revision, 0), judged.evidence)
        self.status = self.status.model_copy(update={"canary": canary})
        weights = shares.weights(rollout)
        inside = rollout.revision if rollout.weight == 100 else rollout.stable
        paths = self._paths(weights, inside) if inside else None
        counts = shares.replicas(self.spec.canary, self.spec.replicas, rollout)
        decision = self._decision(ready, want, counts, weights, paths)
        return replace(decision, again_after=_WATCH_SECONDS)

    def _settled(self, want: revision.Wanted | None, held: Ready | None) -> Decision:
        """No revision is on its way."""
        if self.stable is None:
            assert held is not None
            return self._decision(held, want, {}, {}, [])
        if want and want.name == self.stable:
            own = pods.of_revision(self.snapshot, self.stable)
            timings = pods.timings(own) or self.status.timings
            self.status = self.status.model_copy(update={"timings": timings})
        ready = held or self._next(want) or self._serves(self.stable)
        weights = {self.stable: 100}
        counts = {self.stable: self.spec.replicas}
        return self._decision(ready, want, counts, weights, self._paths(weights, self.stable))

    def _next(self, want: revision.Wanted | None) -> Ready | None:
        """After a canary was withdrawn for another; what serves is not what is asked for."""
        if want is None or want.name == self.stable:
            return None
        return Ready("Unknown", Reason.LOADING, f"Revision {want.name} is next.")

    def _serves(self, name: str) -> Ready:
        if self.spec.replicas == 0:
            text = "spec.replicas is 0: no pod runs, and requests are refused."
            return Ready("Unknown", Reason.SCALED_TO_ZERO, text)
        count = pods.ready_count(self.snapshot, name)
        if count == 0:
            trouble = pods.passing(self.snapshot, name)
            if trouble:
                return Ready("False", trouble.reason, trouble.message)
            return Ready("Unknown", Reason.LOADING, f"Revision {name} loads.")
        if unrouted := self._unrouted():
            return unrouted
        if self.spec.endpoint and route.taken(self.live_route) != {name: 100}:
            text = "Waits for the gateway to take the route; goes on by itself."
            return Ready("Unknown", Reason.LOADING, text)
        text = f"Revision {name} serves with {count} of {self.spec.replicas} replicas."
        return Ready("True", Reason.SERVING, text)

    def _unrouted(self) -> Ready | None:
        """Why requests from outside do not arrive; None where they do, or soon will."""
        found = self._routed()
        return found if found and found.status == "False" else None

    def _routed(self) -> Ready | None:
        if self.spec.endpoint is None:
            return None
        snapshot = self.snapshot
        return routed(snapshot.resource, self.spec.endpoint, self.live_route, snapshot.roads)

    def _tell_routed(self) -> None:
        others = [c for c in self.status.conditions or [] if c.type != ConditionType.ROUTED]
        if found := self._routed():
            about = (ConditionType.ROUTED, found, self.snapshot.generation, self.now)
            others = with_condition(self.status.conditions, *about)
        self.status = self.status.model_copy(update={"conditions": others})

    def _paths(self, weights: dict[str, int], inside: str) -> list[Object]:
        """The ways to the revisions; ``inside`` is what the Service in the cluster leads to."""
        addresses = route.addresses(self.snapshot.resource, self.spec.endpoint)
        self.status = self.status.model_copy(update=addresses)
        ways = route.Ways(weights, inside)
        return route.objects(self.snapshot.resource, self.spec.endpoint, ways, self.live_route)

    def _decision(
        self,
        ready: Ready,
        want: revision.Wanted | None,
        counts: dict[str, int],
        weights: dict[str, int],
        paths: list[Object] | None,
    ) -> Decision:
        """``counts``: replicas of the revisions that live. Only the one that the spec asks for can
        be made anew; others stay as they were made, but for their replicas. ``paths`` None: the
        ways stay as they are."""
        desired = self._wanted_objects(want, counts) + (paths or [])
        others = {name: count for name, count in counts.items() if not want or name != want.name}
        kept = keep_revisions(*counts, *self._reached(weights))
        if paths is None:
            kept = (*kept, KEEP_PATHS)
        if self.status.run:
            kept = (*kept, *keep_run(self.status.run.id))
        finished = ready.status == "False"
        self._tell_routed()
        status = with_ready(
            self._counted(weights), ready, self.snapshot.generation, self.now, finished=finished
        )
        return Decision(status, desired, kept, replicas=others)

    def _wanted_objects(self, want: revision.Wanted | None, counts: dict[str, int]) -> list[Object]:
        if want is None or want.name not in counts:
            return []
        live = self.snapshot.owned_object("Deployment", want.name)
        about = (self.snapshot.resource, self.spec, want, self.settings)
        return revision.objects(*about, counts[want.name], live)

    def _reached(self, weights: dict[str, int]) -> list[str]:
        """Revisions that a gateway may still send requests to: all, until it has taken the route as
        it is to be."""
        if self.spec.endpoint is None or self.live_route is None:
            return []
        if route.taken(self.live_route) == {name: w for name, w in weights.items() if w}:
            return []
        return [o["metadata"]["name"] for o in self.snapshot.owned if o["kind"] == "Deployment"]

    def _counted(self, weights: dict[str, int]) -> InferenceServiceStatus:
        """The status with the stable one's pods and weight."""
        stable = self.status.stable
        count = pods.ready_count(self.snapshot, stable.revision) if stable else 0
        about = stable and stable.model_copy(
            update={"ready_replicas": count, "weight": weights.get(stable.revision, 0)}
        )
        # Of both revisions' pods, and not of the Jobs: an autoscaler averages over what it finds.
        selector = f"{owner_selector('InferenceService', self.snapshot.name)},{labels.REVISION}"
        update = {"stable": about, "replicas": count, "selector": selector}
        return self.status.model_copy(update=update)
