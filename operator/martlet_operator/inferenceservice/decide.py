"""Decides a service: lock the model, pass the gates, load the revision, then send requests to it.

The revision that serves goes on serving until the next one answered a real completion. Pure.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from martlet_api.conditions import ConditionType, Reason
from martlet_api.inferenceservice import (
    Address,
    FailedRevision,
    InferenceServiceSpec,
    InferenceServiceStatus,
    Revision,
)
from martlet_api.runs import Run
from martlet_operator.batch import preflight
from martlet_operator.batch.run import with_ready
from martlet_operator.batch.stages import StageState, stage_state
from martlet_operator.conditions.fold import Ready, timestamp, with_condition
from martlet_operator.engines import choice
from martlet_operator.inferenceservice import gates, pods, revision, route
from martlet_operator.inputs.cache import Cache
from martlet_operator.inputs.models import KnownModel, not_served
from martlet_operator.inputs.references import Waiting
from martlet_operator.inputs.wanted import Inputs, gather, model_of
from martlet_operator.naming import run_id
from martlet_operator.pods.states import Trouble
from martlet_operator.reconcile.decision import Decision, keep_revisions, keep_run
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

Object = dict[str, Any]

_PREFLIGHT_RETRIES = 3
KEEP_PATHS = ("martlet.dev/part", route.PART["part"])


def decide(
    spec: InferenceServiceSpec,
    status: InferenceServiceStatus,
    snapshot: Snapshot,
    settings: Settings,
    now: datetime,
) -> Decision:
    """The next desired objects and status of one service."""
    step = _Step(spec, status, snapshot, settings, now)
    if wrong := choice.problem(spec.engine, None, spec.pod):
        return step.hold(Ready("False", Reason.INVALID_SPEC, wrong))
    referenced = model_of(spec.model, snapshot.references)
    if isinstance(referenced, Waiting):
        return step.hold(referenced.ready)
    return step.lock(referenced)


class _Step:
    """One pass over one service; its methods name the places it can be at."""

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
    def serving(self) -> str | None:
        return self.status.serving.revision if self.status.serving else None

    def hold(self, ready: Ready) -> Decision:
        """Nothing new can be loaded; what serves goes on."""
        self.status = self.status.model_copy(update={"next": None})
        return self._decision(ready, [])

    def lock(self, referenced: KnownModel | None) -> Decision:
        """A model named by URI is resolved once; a new ``retry`` or URI resolves it again."""
        if referenced is None:
            self._begin_run(run_id([self.spec.model.to_dict(), self.spec.retry]))
        inputs = gather(
            self.spec.model, referenced, [], self.status.resolved or [], self.snapshot.cache
        )
        if inputs.model is None:
            assert self.status.run is not None
            return self._resolve(self.status.run.id, inputs)
        self._record(inputs)
        return self._gate(inputs.model, inputs.cache)

    def _begin_run(self, run: str) -> None:
        if self.status.run is None or self.status.run.id != run:
            begun = Run(id=run, started_at=timestamp(self.now))
            self.status = self.status.model_copy(update={"run": begun, "resolved": None})

    def _resolve(self, run: str, inputs: Inputs) -> Decision:
        state = stage_state(self.snapshot, run, preflight.STAGE)
        if state.told:
            self.status = self.status.model_copy(update={"resolved": state.told.resolved})
            return self.lock(None)
        desired = preflight.preflight_objects(
            self.snapshot.resource,
            run,
            inputs,
            self.spec.pod,
            self.settings,
            retries=_PREFLIGHT_RETRIES,
            suspend=False,
        )
        if state.lost:
            # Without what keeps it, the Job goes; in a moment another is made.
            decision = self._decision(_resolving(state), [])
            kept = tuple(pair for pair in decision.keep if pair not in keep_run(run))
            return replace(decision, keep=kept, again_after=1)
        return self._decision(_resolving(state), desired)

    def _record(self, inputs: Inputs) -> None:
        text = "; ".join(f"{link.name} {link.digest[:19]}" for link in inputs.made_from) + "."
        conditions = with_condition(
            self.status.conditions,
            ConditionType.RESOLVED,
            Ready("True", Reason.REVISIONS_LOCKED, text),
            self.snapshot.generation,
            self.now,
        )
        update = {"conditions": conditions, "made_from": inputs.made_from}
        self.status = self.status.model_copy(update=update)

    def _gate(self, model: KnownModel, cache: Cache | None) -> Decision:
        engine, pod = self.spec.engine, self.spec.pod
        if message := not_served(model) or choice.problem(engine, model, pod):
            return self.hold(Ready("False", Reason.INVALID_SPEC, message))
        chosen = choice.choose(engine, model, pod)
        self.status = self.status.model_copy(update={"engine": chosen})
        if shut := gates.closed(
            self.snapshot.name, self.spec.gates, model.digest, self.snapshot.references
        ):
            return self.hold(shut)
        want = revision.wanted(self.snapshot.resource, self.spec, model, self.settings, cache)
        failed = self.status.failed
        if failed and failed.revision == want.name:
            return self.hold(Ready("False", Reason(failed.reason), failed.message))
        return self._load(want)

    def _load(self, want: revision.Wanted) -> Decision:
        resource = self.snapshot.resource
        live = self.snapshot.owned_object("Deployment", want.name)
        desired = revision.objects(resource, self.spec, want, self.settings, live)
        ready = pods.ready_count(self.snapshot, want.name)
        own = pods.of_revision(self.snapshot, want.name)
        if want.name != self.serving and (trouble := pods.fatal(own)):
            return self._give_up(want, trouble)
        about = Revision(revision=want.name, digest=want.model.digest, ready_replicas=ready)
        if self.spec.replicas == 0:
            return self._idle(want, about, desired)
        if want.name == self.serving or ready >= self.spec.replicas:
            return self._serve(want, about, desired, own)
        self.status = self.status.model_copy(update={"next": about})
        return self._decision(self._loading(want, own), desired)

    def _give_up(self, want: revision.Wanted, trouble: Trouble) -> Decision:
        """The revision's pods are ended; the one that serves, if any, goes on."""
        goes_on = f" Revision {self.serving} goes on serving." if self.serving else ""
        text = f"{trouble.message} Change the spec, or set spec.retry to try again.{goes_on}"
        failed = FailedRevision(
            revision=want.name,
            digest=want.model.digest,
            reason=trouble.reason,
            message=text[:2048],
            at=timestamp(self.now),
        )
        self.status = self.status.model_copy(update={"failed": failed, "next": None})
        return self.hold(Ready("False", trouble.reason, text))

    def _idle(self, want: revision.Wanted, about: Revision, desired: list[Object]) -> Decision:
        self.status = self.status.model_copy(update={"serving": about, "next": None})
        paths = route.objects(self.snapshot.resource, self.spec, want.name)
        text = "spec.replicas is 0: no pod runs, and requests are refused."
        return self._decision(Ready("Unknown", Reason.SCALED_TO_ZERO, text), desired, paths)

    def _serve(
        self,
        want: revision.Wanted,
        about: Revision,
        desired: list[Object],
        own: list[Object],
    ) -> Decision:
        former = self._former(want.name)
        self.status = self.status.model_copy(
            update={
                "serving": about,
                "next": None,
                "failed": None,
                "timings": pods.timings(own) or self.status.timings,
                **self._addresses(),
            }
        )
        paths = route.objects(self.snapshot.resource, self.spec, want.name)
        ready = self._served(want, about, own)
        return self._decision(ready, desired, paths, former)

    def _former(self, wanted: str) -> tuple[str, ...]:
        """Revisions that the gateway may still send requests to."""
        if self.spec.endpoint is None or self._reached(wanted):
            return ()
        return (self.serving,) if self.serving and self.serving != wanted else self._all()

    def _reached(self, wanted: str) -> bool:
        """Whether a gateway has taken the route to this revision."""
        live = self.snapshot.owned_object("HTTPRoute", self.snapshot.name)
        return route.leads_to(live) == wanted and route.is_accepted(live)

    def _all(self) -> tuple[str, ...]:
        return tuple(
            item["metadata"]["name"] for item in self.snapshot.owned if item["kind"] == "Deployment"
        )

    def _served(self, want: revision.Wanted, about: Revision, own: list[Object]) -> Ready:
        live = self.snapshot.owned_object("HTTPRoute", self.snapshot.name)
        if about.ready_replicas == 0:
            return self._loading(want, own)
        if self.spec.endpoint and (refused := route.refusal(live)):
            text = f"The gateway does not take the route ({refused}). Correct spec.endpoint."
            return Ready("False", Reason.ROUTE_NOT_ACCEPTED, text)
        if self.spec.endpoint and not self._reached(want.name):
            text = "Waits for the gateway to take the route; goes on by itself."
            return Ready("Unknown", Reason.LOADING, text)
        count = f"{about.ready_replicas} of {self.spec.replicas} replicas"
        return Ready("True", Reason.SERVING, f"Revision {want.name} serves with {count}.")

    def _loading(self, want: revision.Wanted, own: list[Object]) -> Ready:
        trouble = pods.passing(self.snapshot, want.name, own)
        if trouble:
            return Ready("False", trouble.reason, trouble.message)
        return Ready("Unknown", Reason.LOADING, f"Revision {want.name} loads.")

    def _addresses(self) -> dict[str, Address | None]:
        name, namespace = self.snapshot.name, self.snapshot.namespace
        inside = Address(url=f"http://{name}.{namespace}.svc:8080/v1")
        endpoint = self.spec.endpoint
        outside = Address(url=f"http://{endpoint.hostnames[0]}/v1") if endpoint else None
        return {"address": outside or inside, "cluster_address": inside}

    def _decision(
        self,
        ready: Ready,
        desired: list[Object],
        paths: list[Object] | None = None,
        former: tuple[str, ...] = (),
    ) -> Decision:
        """``paths`` None: the way to the serving revision stays as it is."""
        name = self.serving
        kept = keep_revisions(*former, *([name] if name else []))
        if paths is None:
            kept = (*kept, KEEP_PATHS)
        run = keep_run(self.status.run.id) if self.status.run else ()
        count = pods.ready_count(self.snapshot, name) if name else 0
        serving = self.status.serving
        counted = self.status.model_copy(
            update={
                "serving": serving and serving.model_copy(update={"ready_replicas": count}),
                "replicas": count,
                "selector": f"martlet.dev/name={self.snapshot.name}",
            }
        )
        status = with_ready(
            counted, ready, self.snapshot.generation, self.now, finished=ready.status == "False"
        )
        return Decision(status, [*desired, *(paths or [])], (*kept, *run))


def _resolving(state: StageState) -> Ready:
    if trouble := state.failed or state.trouble:
        return Ready("False", trouble.reason, trouble.message)
    return Ready("Unknown", Reason.RESOLVING, "Resolves and checks the model.")
