"""Decides a run: wait for what it needs, lock its inputs, do the work, keep the result.

Pure: everything it knows is in the snapshot, everything it must remember is in the status.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from martlet_api.conditions import ConditionType, Reason
from martlet_api.contract import ContaminationPlan, Plan, Termination
from martlet_api.runs import Run
from martlet_operator.batch import preflight
from martlet_operator.batch.kind import (
    BatchKind,
    Finished,
    Outcome,
    Pass,
    Work,
    spec_identity,
)
from martlet_operator.batch.preflight import preflight_objects
from martlet_operator.batch.stages import StageState, stage_state
from martlet_operator.conditions.fold import Ready, find, phase, timestamp, with_condition
from martlet_operator.inputs.audit_line import audit_line
from martlet_operator.inputs.circles import circular
from martlet_operator.inputs.models import KnownModel
from martlet_operator.inputs.references import Waiting
from martlet_operator.inputs.wanted import Inputs, gather, model_of
from martlet_operator.naming import run_id
from martlet_operator.pods.jobs import job, plan_map, queue_of, together
from martlet_operator.pods.states import Trouble
from martlet_operator.reconcile.decision import Decision, keep_run
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

Object = dict[str, Any]

PROGRESS_SECONDS = 10.0
"""Progress is read, and a status written for it, no more often than this."""

_MADE = ("artifact", "verified")
"""What a run made, and who answered with it."""

_SHARED_SECONDS = 5.0
"""After so many, what another does is looked at again."""


def decide(
    kind: BatchKind,
    spec: Any,
    status: Any,
    snapshot: Snapshot,
    settings: Settings,
    now: datetime,
) -> Decision:
    """The next desired objects and status of one resource."""
    step = _Step(kind, spec, status, snapshot, settings, now)
    if circle := circular(kind.kind, snapshot.name, snapshot.references):
        return step.hold(circle)
    referenced = kind.target(spec, snapshot)
    if isinstance(referenced, Waiting):
        return step.hold(referenced.ready, keep=referenced.keep)
    for name, source in kind.models(spec).items():
        found = model_of(source, snapshot.references)
        if isinstance(found, Waiting):
            return step.hold(found.ready)
        if found:
            step.others[name] = found
    return step.run(referenced)


class _Step:
    """One pass over one resource; its methods name the places a run can be at."""

    def __init__(
        self,
        kind: BatchKind,
        spec: Any,
        status: Any,
        snapshot: Snapshot,
        settings: Settings,
        now: datetime,
    ) -> None:
        self.kind, self.spec, self.status = kind, spec, status
        self.snapshot, self.settings, self.now = snapshot, settings, now
        self.others: dict[str, KnownModel] = {}

    def hold(self, ready: Ready, *, keep: bool = True) -> Decision:
        """Nothing can be started; what an earlier run made stays, and what it began if it may.

        A finished run stands though what it was made from is gone. If the spec changed, whether
        that run is still the one meant is not known: once it can be told, its end is read anew.
        """
        run = self.status.run
        if run is None:
            return Decision(self._status(ready, finished=False))
        if run.finished_at and self.status.observed_generation == self.snapshot.generation:
            return self._finished()
        unsettled = {"run": run.model_copy(update={"finished_at": None})}
        self.status = self.status.model_copy(update=unsettled)
        kept = keep_run(run.id) if keep else ()
        return Decision(self._status(ready, finished=False), keep=kept)

    def run(self, referenced: KnownModel | None) -> Decision:
        models = [*([referenced] if referenced else []), *self.others.values()]
        upstream = [part for model in models for part in model.identity()]
        run = run_id([spec_identity(self.spec), upstream])
        if self.status.run is None or self.status.run.id != run:
            self.status = _begin(self.status, run, self.now)
        elif self.status.run.finished_at:
            return self._finished()
        if message := self.kind.refusal(self.spec, referenced):
            return self._end(Ready("False", Reason.INVALID_SPEC, message), {})
        return self._stages(run, referenced)

    def _stages(self, run: str, referenced: KnownModel | None) -> Decision:
        inputs = self._inputs(referenced)
        compared = self.kind.contamination(self.spec, self.status, inputs, self.snapshot)
        if inputs.unlocked or compared:
            state = stage_state(self.snapshot, run, preflight.STAGE)
            if state.told is None:
                desired = self._preflight(run, inputs, compared)
                return self._wait(state, desired, Reason.RESOLVING, "Resolves and checks inputs.")
            resolved = state.told.resolved or self.status.resolved
            self.status = self.status.model_copy(update={"resolved": resolved})
            self._record_fit(state.told)
            inputs = self._inputs(referenced)
            found = self.kind.checked(state.told, inputs)
            self.status = self.status.model_copy(update=found)
        self._record_inputs(inputs)
        if held := self.kind.hold(self.snapshot.resource, self.spec, self.status):
            return Decision(self._status(held, finished=False), keep=keep_run(run))
        return self._work(run, inputs)

    def _work(self, run: str, inputs: Inputs) -> Decision:
        """Stage after stage, as far as they are done."""
        while True:
            at = self._pass(run, inputs)
            step = self.kind.following(at)
            if isinstance(step, Work):
                state = stage_state(self.snapshot, run, step.stage)
                if state.told is None:
                    return self._do(step, state)
                finished = Finished(state.told, inputs, run, self.now)
                step = self.kind.taken(step.stage, at, finished)
            if isinstance(step, Ready):
                # Without what keeps them, pods that began go.
                return Decision(self._status(step, finished=False), again_after=_SHARED_SECONDS)
            if isinstance(step, Outcome):
                return self._end(step.ready, step.update)
            self.status = self.status.model_copy(update=step.update)

    def _do(self, work: Work, state: StageState) -> Decision:
        self.status = self.status.model_copy(update=work.marks)
        desired = self._objects(work.plan, work.stage, work.template)
        reason = work.working or self.kind.working
        return self._wait(state, desired, reason, work.message, work.advice)

    def _pass(self, run: str, inputs: Inputs) -> Pass:
        return Pass(self.spec, self.status, inputs, run, self.snapshot, self.settings, self.now)

    def _wait(
        self,
        state: StageState,
        desired: list[Object],
        reason: Reason,
        message: str,
        advice: str = "",
    ) -> Decision:
        """The stage is not done: show how it stands."""
        run = self.status.run.id
        if state.failed:
            found = self._findings(state.failed.told) if state.failed.told else {}
            text = f"{state.failed.message} {advice}".strip()
            end = self._end(Ready("False", state.failed.reason, text), found)
            return replace(end, desired=_stopped(desired)) if state.stop else end
        if state.lost:
            return Decision(self._status(self._retrying(None, 0), finished=False), again_after=1)
        if self.spec.suspend:
            text = "Suspended: no pod runs. Set spec.suspend to false to go on."
            ready = Ready("Unknown", Reason.SUSPENDED, text)
            if queue_of(self.snapshot.resource):
                # Kueue alone may hold its Job; without what keeps it, the Job goes.
                return Decision(self._status(ready, finished=False))
        elif state.trouble:
            ready = self._troubled(state.trouble, state.attempt)
        else:
            ready = Ready("Unknown", reason, self._progress(state) or message)
        again = PROGRESS_SECONDS if state.running else None
        status = self._status(ready, finished=False)
        return Decision(status, desired, keep_run(run), again_after=again)

    def _troubled(self, trouble: Trouble, attempt: int) -> Ready:
        if attempt:
            return self._retrying(trouble, attempt)
        return Ready("False", trouble.reason, trouble.message)

    def _retrying(self, trouble: Trouble | None, attempt: int) -> Ready:
        if trouble is None:
            text = "The pod is gone and its result with it; the stage is run again."
            return Ready("Unknown", Reason.RETRYING, text)
        left = max(self.spec.retries.limit + 1 - attempt, 0)
        text = f"Attempt {attempt} failed ({trouble.reason}); {left} to go. {trouble.message}"
        return Ready("Unknown", Reason.RETRYING, text)

    def _progress(self, state: StageState) -> str | None:
        """Takes the page's figures into the status, if those in it are old; returns a sentence
        about them."""
        if (former := self._former_progress()) is not None:
            return former
        name = state.running["metadata"]["name"] if state.running else ""
        page = self.snapshot.pages.get(name, {})
        told = self.kind.progress(page, self.now)
        if told is None:
            return None
        kept = self.kind.kept(self.snapshot.resource, self.spec, self.status.run.id, page)
        self.status = self.status.model_copy(update={**kept, "progress": told[0]})
        return told[1]

    def _former_progress(self) -> str | None:
        """What was said of progress less than a period ago. Times in a status are whole seconds."""
        former = self.status.progress
        ready = find(self.status.conditions, ConditionType.READY)
        if former is None or ready is None or ready.reason != self.kind.working:
            return None
        age = self.now - datetime.fromisoformat(former.updated_at)
        return ready.message if age.total_seconds() < PROGRESS_SECONDS - 1 else None

    def _finished(self) -> Decision:
        """The run is over: its objects stay for their logs, its status as it is."""
        return Decision(
            self.status.model_copy(update={"observed_generation": self.snapshot.generation}),
            keep=keep_run(self.status.run.id),
        )

    def _end(self, ready: Ready, update: dict[str, Any]) -> Decision:
        run = self.status.run.model_copy(update={"finished_at": timestamp(self.now)})
        self.status = self.status.model_copy(update={**update, "run": run})
        return Decision(self._status(ready, finished=True), keep=keep_run(run.id))

    def _inputs(self, referenced: KnownModel | None) -> Inputs:
        others = self.kind.inputs(self.spec)
        resolved = self.status.resolved or []
        return gather(
            self.spec.model, referenced, others, resolved, self.snapshot.cache, self.others
        )

    def _preflight(
        self, run: str, inputs: Inputs, compared: ContaminationPlan | None
    ) -> list[Object]:
        return preflight_objects(
            self.snapshot.resource,
            run,
            inputs,
            self.spec.pod,
            self.settings,
            self.kind.rows(self.snapshot.resource, self.spec, run),
            self.kind.estimate(self.spec, inputs, self.snapshot),
            compared,
            retries=self.spec.retries.limit,
            suspend=self.spec.suspend,
        )

    def _objects(self, plan: Plan, stage: str, template: Object) -> list[Object]:
        owner = self.snapshot.resource
        work = job(
            plan,
            stage,
            owner,
            template,
            retries=self.spec.retries.limit,
            suspend=self.spec.suspend,
        )
        return [plan_map(plan, stage, owner), *together(work, self.kind.nodes(self.spec))]

    def _record_inputs(self, inputs: Inputs) -> None:
        text = audit_line(self.snapshot.resource, inputs)
        locked = Ready("True", Reason.REVISIONS_LOCKED, text)
        self._condition(ConditionType.RESOLVED, locked)
        self.status = self.status.model_copy(update={"made_from": inputs.made_from})

    def _findings(self, told: Termination) -> dict[str, Any]:
        self._record_fit(told)
        return self.kind.findings(told)

    def _record_fit(self, told: Termination) -> None:
        if fits := self.kind.fits(told):
            self._condition(ConditionType.FITS, fits)

    def _condition(self, kind: ConditionType, ready: Ready) -> None:
        conditions = with_condition(
            self.status.conditions, kind, ready, self.snapshot.generation, self.now
        )
        self.status = self.status.model_copy(update={"conditions": conditions})

    def _status(self, ready: Ready, *, finished: bool) -> Any:
        return with_ready(self.status, ready, self.snapshot.generation, self.now, finished=finished)


def with_ready(status: Any, ready: Ready, generation: int, now: datetime, *, finished: bool) -> Any:
    """The status with its fold: Ready, phase and observedGeneration."""
    conditions = with_condition(status.conditions, ConditionType.READY, ready, generation, now)
    return status.model_copy(
        update={
            "conditions": conditions,
            "phase": phase(ready, finished=finished),
            "observed_generation": generation,
        }
    )


def _stopped(desired: list[Object]) -> list[Object]:
    """The Job held, so that a pod that would never end is ended."""
    return [
        {**item, "spec": {**item["spec"], "suspend": True}}
        for item in desired
        if item["kind"] == "Job"
    ]


def _begin(status: Any, run: str, now: datetime) -> Any:
    """A new run: what the former one found is dropped, what it made stays until the new exists."""
    kept = {name: value for name in _MADE if (value := getattr(status, name, None))}
    ready = find(status.conditions, ConditionType.READY)
    return type(status)(
        run=Run(id=run, started_at=timestamp(now)), conditions=[ready] if ready else None, **kept
    )
