"""Decides a service: lock the model, pass the gates, and bring the revision to serve.

The stable revision goes on serving whatever becomes of the next one. Pure.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from martlet_api.conditions import ConditionType, Reason
from martlet_api.engine import EngineType
from martlet_api.inferenceservice import InferenceServiceSpec, InferenceServiceStatus
from martlet_api.runs import Run
from martlet_operator.batch import preflight
from martlet_operator.batch.stages import StageState, stage_state
from martlet_operator.conditions.fold import Ready, timestamp, with_condition
from martlet_operator.engines import choice, known
from martlet_operator.inferenceservice import fits, gates, revision
from martlet_operator.inferenceservice.rollout import guarding, records, telling
from martlet_operator.inferenceservice.rollout.state import Candidate, Failure
from martlet_operator.inferenceservice.serving import Service
from martlet_operator.inputs.cache import Cache
from martlet_operator.inputs.models import KnownModel, not_served
from martlet_operator.inputs.references import Waiting
from martlet_operator.inputs.wanted import Inputs, gather, model_of
from martlet_operator.naming import run_id
from martlet_operator.reconcile.decision import Decision, keep_run
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

Object = dict[str, Any]

_PREFLIGHT_RETRIES = 3
_SOON_SECONDS = 1.0


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
    """The way to what is to be served; its methods name the places it can be at."""

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
    def service(self) -> Service:
        return Service(self.spec, self.status, self.snapshot, self.settings, self.now)

    def hold(self, ready: Ready) -> Decision:
        """What the spec asks for is not known: what serves goes on, and a rollout stands still."""
        return self.service.roll(None, held=ready)

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
        held = self.hold(_resolving(state))
        if state.lost:
            # Without what keeps it, the Job goes; in a moment another is made.
            kept = tuple(pair for pair in held.keep if pair not in keep_run(run))
            return replace(held, keep=kept, again_after=_SOON_SECONDS)
        return replace(held, desired=[*held.desired, *desired])

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
        """A verdict that failed takes a rollout back; one that is not there yet holds it."""
        engine, pod = self.spec.engine, self.spec.pod
        if message := not_served(model) or choice.problem(engine, model, pod):
            return self.hold(Ready("False", Reason.INVALID_SPEC, message))
        memory = self.snapshot.accelerator_memory
        if message := fits.too_large(model, engine, pod, memory):
            return self.hold(Ready("False", Reason.INSUFFICIENT_MEMORY, message))
        chosen = choice.choose(engine, model, pod)
        if message := self._unguarded(chosen.type):
            return self.hold(Ready("False", Reason.INVALID_SPEC, message))
        self.status = self.status.model_copy(update={"engine": chosen})
        want = revision.wanted(self.snapshot.resource, self.spec, model, self.settings, cache)
        candidate = Candidate(want.name, model.digest)
        if rejected := records.why_rejected(self.status, candidate, self.spec.retry):
            serves = self.status.stable.revision if self.status.stable else None
            return self.service.roll(want, held=telling.rejected(rejected, serves))
        shut = gates.closed(
            self.snapshot.name, self.spec.gates, model.digest, self.snapshot.references
        )
        barred = None
        if shut and shut.reason == Reason.GATE_NOT_PASSED:
            barred = Failure(shut.reason, shut.message, withdrawn=True)
        return self.service.roll(want, held=shut, barred=barred)

    def _unguarded(self, engine: EngineType) -> str | None:
        offered, prometheus = known.offers(engine), self.settings.prometheus
        return guarding.problem(self.spec.canary, engine, offered, prometheus)


def _resolving(state: StageState) -> Ready:
    if trouble := state.failed or state.trouble:
        return Ready("False", trouble.reason, trouble.message)
    return Ready("Unknown", Reason.RESOLVING, "Resolves and checks the model.")
