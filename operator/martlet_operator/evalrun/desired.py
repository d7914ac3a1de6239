"""The plan and the pod of a scoring run: the engine beside the scorer, as it would serve; of a
service, the scorer alone."""

from dataclasses import replace
from typing import Any, Literal

from martlet_api import benchmarks
from martlet_api.contract import JUDGE_KEY_ENV, EvaluatePlan, OutputPlan, Plan
from martlet_api.engine import Engine
from martlet_api.evalrun import OWN_ROWS, PERPLEXITY, EvalRunSpec, Suite
from martlet_api.judge import Judge
from martlet_api.pods import PodSettings
from martlet_api.references import ModelSource
from martlet_operator.batch.engine_template import (
    ENDPOINT,
    SERVED_NAME,
    asking_template,
    serve_plan,
)
from martlet_operator.batch.kind import Pass, plan_of
from martlet_operator.batch.output import output_plan
from martlet_operator.engines import choice
from martlet_operator.evalrun import room
from martlet_operator.inputs.models import KnownModel, ServedModel, not_served
from martlet_operator.inputs.references import Waiting
from martlet_operator.inputs.services import served_model
from martlet_operator.inputs.wanted import (
    Inputs,
    Wanted,
    WantedDataset,
    WantedModel,
    model_of,
)
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

Object = dict[str, Any]
Subject = Literal["Model", "Baseline"]

BASELINE = "baseline"
STAGES: dict[Subject, str] = {"Model": "evaluate", "Baseline": BASELINE}
_FLOW = "evaluate"


def target(spec: EvalRunSpec, snapshot: Snapshot) -> KnownModel | Waiting | None:
    """What is scored: what a service serves, what another resource made, or a model by URI."""
    if spec.service:
        return served_model(spec.service, snapshot.namespace, snapshot.references)
    assert spec.model is not None
    return model_of(spec.model, snapshot.references)


def inputs(spec: EvalRunSpec) -> list[Wanted]:
    suites = [_dataset(suite) for suite in spec.suites if suite.dataset]
    if spec.baseline and spec.baseline.uri:
        return [WantedModel(BASELINE, spec.baseline), *suites]
    return suites


def _dataset(suite: Suite) -> Wanted:
    name, source = input_of(suite), suite.dataset
    assert source is not None
    if suite.benchmark == PERPLEXITY:
        return WantedDataset(name, source, "Text", digest=source.digest)
    if suite.benchmark in OWN_ROWS:
        return WantedDataset(name, source, "Evaluation", suite.benchmark, digest=source.digest)
    return WantedDataset(name, source, None, suite.benchmark, digest=source.digest, kind="Folder")


def input_of(suite: Suite) -> str:
    return f"suite-{suite.name}"


def models(spec: EvalRunSpec) -> dict[str, ModelSource]:
    return {BASELINE: spec.baseline} if spec.baseline and spec.baseline.from_ else {}


def refusal(spec: EvalRunSpec, model: KnownModel | None) -> str | None:
    """What cannot be scored: a benchmark that is not known or whose data is nowhere named, more
    scores than can be told, or what the engine cannot load."""
    wrong = (benchmarks.problem(suite) for suite in spec.suites)
    return next(filter(None, wrong), None) or room.problem(spec) or unserved(spec, model)


def unserved(spec: EvalRunSpec, model: KnownModel | None) -> str | None:
    """Why no engine loads a model, which may not be known yet. One that is served was loaded."""
    if isinstance(model, ServedModel):
        return None
    return not_served(model) or choice.problem(engine_of(spec), model, spec.pod)


def of_subject(inputs: Inputs, subject: Subject) -> Inputs:
    """The inputs of the pod that scores one of the two models."""
    model = inputs.model if subject == "Model" else inputs.models[BASELINE]
    assert model is not None
    suites = [item for item in inputs.locked if item.kind != "Model"]
    return replace(inputs, model=model, locked=[*model.inputs(), *suites])


def plan(at: Pass, inputs: Inputs, subject: Subject) -> Plan:
    spec: EvalRunSpec = at.spec
    served = inputs.model if isinstance(inputs.model, ServedModel) else None
    evaluate = EvaluatePlan(
        subject=subject,
        endpoint=served.uri if served else ENDPOINT,
        service=served.title if served else None,
        served_name=served.name if served else SERVED_NAME,
        suites=spec.suites,
        generation=spec.generation,
        judge=spec.judge,
        output=_output(at, inputs, subject),
    )
    assert inputs.model is not None
    serve = None if served else serve_plan(engine_of(spec), inputs.model, spec.pod)
    return plan_of(at.resource, inputs, at.run, evaluate=evaluate, serve=serve)


def engine_of(spec: EvalRunSpec) -> Engine:
    return spec.engine or Engine()


def _output(at: Pass, inputs: Inputs, subject: Subject) -> OutputPlan | None:
    """The baseline's rows lie beside the model's."""
    if at.spec.output is None:
        return None
    found = output_plan(at.resource, at.spec.output, inputs, at.run)
    suffix = f"-{BASELINE}" if subject == "Baseline" else ""
    return found.model_copy(update={"uri": f"{found.uri}{suffix}"})


def template(
    spec: EvalRunSpec, plan: Plan, inputs: Inputs, settings: Settings, stage: str
) -> Object:
    """The scorer beside the engine, unless a service is asked; where rows are kept, it writes
    them."""
    output = spec.output.uri if spec.output else None
    served = isinstance(inputs.model, ServedModel)
    engine, pod = engine_of(spec), spec.pod
    return asking_template(
        stage,
        _FLOW,
        None if served else engine,
        without_engine(pod) if served else pod,
        plan,
        inputs,
        settings,
        output=output,
        variables=_judge_key(spec.judge),
    )


def _judge_key(judge: Judge | None) -> list[Object]:
    """That one key of the Secret, for the container that asks the judge."""
    if judge is None or judge.secret_ref is None:
        return []
    key = {"name": judge.secret_ref.name, "key": JUDGE_KEY_ENV}
    return [{"name": JUDGE_KEY_ENV, "valueFrom": {"secretKeyRef": key}}]


def without_engine(pod: PodSettings) -> PodSettings:
    """Where the engine's pod goes, without what the engine needs."""
    engine = {
        "accelerator",
        "accelerators_per_pod",
        "accelerator_memory",
        "resources",
        "image",
        "runtime_class_name",
    }
    return pod.model_copy(update=dict.fromkeys(engine))
