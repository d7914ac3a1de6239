"""What comes next of a scoring run: the baseline's scores, the model's, their rows, the verdict.
What is known already is not done again, and what another scores now is waited for. Pure."""

from martlet_api.conditions import Reason
from martlet_api.engine import EngineStatus
from martlet_api.evalrun import Comparison, EvalRunSpec, Measured
from martlet_operator.batch.kind import Finished, Known, Outcome, Pass, Work
from martlet_operator.conditions.fold import Ready, timestamp
from martlet_operator.engines.choice import choose
from martlet_operator.evalrun import comparing, contamination, desired, sharing, status
from martlet_operator.evalrun.desired import STAGES, Subject
from martlet_operator.inputs.models import ServedModel
from martlet_operator.inputs.wanted import Inputs

_FIELDS: dict[Subject, str] = {"Model": "measured", "Baseline": "baseline"}


def following(at: Pass) -> Work | Known | Outcome | Ready:
    """The baseline first: what is wrong with the test sets is then seen by a model that is
    known. Nothing is scored, nor judged by known scores, before what was trained on is looked
    at."""
    if first := contamination.known(at) or contamination.refused(at):
        return first
    for subject in subjects(at.spec):
        if step := _scored(at, subject):
            return step
    return _compared(at) or status.outcome(at.spec, at.status, at.now)


def subjects(spec: EvalRunSpec) -> list[Subject]:
    return ["Baseline", "Model"] if spec.baseline else ["Model"]


def _scored(at: Pass, subject: Subject) -> Work | Known | Outcome | Ready | None:
    """What is to be done for a model's scores; None where the status has them."""
    inputs = desired.of_subject(at.inputs, subject)
    if wrong := desired.unserved(at.spec, inputs.model):
        return Outcome(Ready("False", Reason.INVALID_SPEC, wrong), {})
    key = sharing.key(at.spec, inputs, at.settings.images)
    field = _FIELDS[subject]
    have: Measured | None = getattr(at.status, field)
    if have and have.key == key:
        return None
    if found := sharing.find(key, at.snapshot.peers, samples=at.spec.output is not None):
        return Known({field: found, "scoring": None, **_engine(at, inputs, subject)})
    if other := sharing.busy(key, at.resource, at.snapshot.peers):
        return Known({"scoring": None}) if at.status.scoring else _waiting(other, subject)
    told = desired.plan(at, inputs, subject)
    stage = STAGES[subject]
    pod = desired.template(at.spec, told, inputs, at.settings, stage)
    return Work(stage, told, pod, {"scoring": key, **_engine(at, inputs, subject)})


def _engine(at: Pass, inputs: Inputs, subject: Subject) -> dict[str, EngineStatus]:
    """The status tells of the model's engine, not of the baseline's; a service tells of its own."""
    assert inputs.model is not None
    if subject == "Baseline" or isinstance(inputs.model, ServedModel):
        return {}
    return {"engine": choose(desired.engine_of(at.spec), inputs.model, at.spec.pod)}


def _compared(at: Pass) -> Work | Known | None:
    """The rows of both, one by one; None where they were, or are not kept."""
    measured, baseline = at.status.measured, at.status.baseline
    if not (baseline and baseline.samples and measured.samples and at.spec.output):
        return None
    key = sharing.comparison_key(measured, baseline)
    if at.status.comparison and at.status.comparison.key == key:
        return None
    if found := sharing.find_comparison(key, at.snapshot.peers):
        return Known({"comparison": found})
    return comparing.work(at, measured.samples, baseline.samples)


def taken(stage: str, at: Pass, finished: Finished) -> Known:
    """What a stage found, under the key by which others find it."""
    if stage == comparing.STAGE:
        return _taken_comparison(at, finished)
    subject: Subject = "Baseline" if stage == STAGES["Baseline"] else "Model"
    inputs = desired.of_subject(finished.inputs, subject)
    assert finished.told.evaluate is not None
    model = inputs.model
    assert model is not None
    measured = Measured(
        key=sharing.key(at.spec, inputs, at.settings.images),
        model_digest=model.digest,
        revision=model.served_by if isinstance(model, ServedModel) else None,
        scores=finished.told.evaluate.scores,
        at=timestamp(finished.now),
        by=f"EvalRun/{at.snapshot.name} {finished.run}",
        samples=finished.told.evaluate.artifact,
    )
    done = {_FIELDS[subject]: measured, "scoring": None, "progress": None}
    return Known({**done, **_engine(at, inputs, subject)})


def _taken_comparison(at: Pass, finished: Finished) -> Known:
    found = finished.told.compare
    assert found is not None
    key = sharing.comparison_key(at.status.measured, at.status.baseline)
    comparison = Comparison(key=key, pairings=found.pairings, artifact=found.artifact)
    return Known({"comparison": comparison})


def _waiting(other: str, subject: Subject) -> Ready:
    what = "the same model" if subject == "Model" else "the same baseline"
    text = f"EvalRun {other} scores {what} over the same test sets; its scores are taken."
    return Ready("Unknown", Reason.WAITING_FOR_SCORES, text)
