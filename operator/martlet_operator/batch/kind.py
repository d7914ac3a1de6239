"""What each kind that runs to an end says of itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import ContaminationPlan, EstimatePlan, Plan, RowsPlan, Termination
from martlet_api.references import ModelSource
from martlet_api.workload import BatchSpec
from martlet_operator.conditions.fold import Ready
from martlet_operator.inputs.models import KnownModel
from martlet_operator.inputs.references import Waiting
from martlet_operator.inputs.wanted import Inputs, Wanted, model_of
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

Object = dict[str, Any]
Spec = Any
"""The kind's own spec class; each kind's functions name it."""


@dataclass(frozen=True)
class Pass:
    """All that a kind decides the next step of a run by."""

    spec: Spec
    status: Any
    inputs: Inputs
    run: str
    snapshot: Snapshot
    settings: Settings
    now: datetime

    @property
    def resource(self) -> Object:
        return self.snapshot.resource


@dataclass(frozen=True)
class Work:
    """A stage that must be done: its name, which is its Job's and its working container's, what
    the pod is told, and the pod. ``marks`` are parts of the status while it is being done.

    ``working``: Ready's reason meanwhile, where it is not the kind's own; ``message`` is what it
    says before there is any progress. ``advice``: what to do next where the stage fails, besides
    what its pod says.
    """

    stage: str
    plan: Plan
    template: Object
    marks: dict[str, Any] = field(default_factory=dict)
    working: Reason | None = None
    message: str = "Its pod is being started."
    advice: str = ""


@dataclass(frozen=True)
class Known:
    """Parts of the status that need no work; what comes next is asked again."""

    update: dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """What a working pod said at its end, and what it worked on."""

    told: Termination
    inputs: Inputs
    run: str
    now: datetime


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the Ready condition, and the parts of the status to set."""

    ready: Ready
    update: dict[str, Any]


@dataclass(frozen=True)
class BatchKind:
    """The pure functions of a kind.

    inputs: what must be brought besides the model.
    target: what is worked on (spec, snapshot): what another resource made or serves, or what it
    waits for; None where it is named by URI, which preflight locks.
    refusal: why the spec cannot be carried out on a referenced model, None where it can.
    models: models besides the one that is worked on that may be named by ``from``, by input name.
    following: what comes next once the inputs are locked: work, what is known without it, the end,
    or what must be waited for, without a pod meanwhile.
    taken: what a stage that is done came to (stage, pass, what it finished): parts of the status,
    or the end.
    nodes: pods that work together.
    progress: the status' progress and a sentence for people from a metrics page, None if it says
    nothing yet.
    rows: what preflight does with the rows of data files (resource, spec, run).
    checked: what preflight found besides digests (what it said, the inputs that it locked), as
    parts of the status.
    contamination: what test sets preflight compares with what the model was trained on (spec,
    status, inputs, snapshot), though nothing else may be left for it.
    estimate: what preflight estimates the memory of (spec, inputs, snapshot).
    fits: what preflight said of the memory.
    hold: why the work must not begin yet though preflight is done (resource, spec, status).
    findings: what a failed run found nevertheless, as parts of the status.
    kept: what a metrics page says a run has kept so far (resource, spec, run, gauges), likewise.
    """

    kind: str
    working: Reason
    inputs: Callable[[Spec], list[Wanted]]
    refusal: Callable[[Spec, KnownModel | None], str | None]
    following: Callable[[Pass], Work | Known | Outcome | Ready]
    taken: Callable[[str, Pass, Finished], Known | Outcome]
    progress: Callable[[dict[str, float], datetime], tuple[Any, str] | None]
    target: Callable[[Spec, Snapshot], KnownModel | Waiting | None] = lambda spec, snapshot: (
        model_of(spec.model, snapshot.references)
    )
    models: Callable[[Spec], dict[str, ModelSource]] = lambda _: {}
    nodes: Callable[[Spec], int] = lambda _: 1
    rows: Callable[[Object, Spec, str], RowsPlan | None] = lambda *_: None
    checked: Callable[[Termination, Inputs], dict[str, Any]] = lambda *_: {}
    contamination: Callable[[Spec, Any, Inputs, Snapshot], ContaminationPlan | None] = lambda *_: (
        None
    )
    estimate: Callable[[Spec, Inputs, Snapshot], EstimatePlan | None] = lambda *_: None
    fits: Callable[[Termination], Ready | None] = lambda _: None
    hold: Callable[[Object, Spec, Any], Ready | None] = lambda *_: None
    findings: Callable[[Termination], dict[str, Any]] = lambda _: {}
    kept: Callable[[Object, Spec, str, dict[str, float]], dict[str, Any]] = lambda *_: {}


def one_stage(
    stage: str,
    plan: Callable[[Object, Spec, Any, Inputs, str], Plan],
    template: Callable[[Spec, Plan, Inputs, Settings], Object],
) -> Callable[[Pass], Work]:
    """``following`` of a kind whose runs have one stage: ``plan`` is of (resource, spec, status,
    inputs, run)."""

    def following(at: Pass) -> Work:
        told = plan(at.resource, at.spec, at.status, at.inputs, at.run)
        return Work(stage, told, template(at.spec, told, at.inputs, at.settings))

    return following


def ended_by(
    outcome: Callable[[Spec, Finished], Outcome],
) -> Callable[[str, Pass, Finished], Outcome]:
    """``taken`` of such a kind: its stage ends the run."""
    return lambda _stage, at, finished: outcome(at.spec, finished)


def spec_identity(spec: BatchSpec) -> Object:
    """The part of a spec that makes a run: all but what holds, approves or retries it.

    Without defaults: a field that a later version adds must not make every run anew.
    """
    held: Any = {"suspend": True, "retries": True, "dry_run": True, "audit": {"approval"}}
    kept = spec.model_dump(mode="json", by_alias=True, exclude=held, exclude_defaults=True)
    return {name: value for name, value in kept.items() if value != {}}


def plan_of(resource: Object, inputs: Inputs, run: str, **parts: Any) -> Plan:
    """A plan with its locked inputs."""
    metadata = resource["metadata"]
    return Plan(
        kind=resource["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        run=run,
        inputs=inputs.locked,
        **parts,
    )
