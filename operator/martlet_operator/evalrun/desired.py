"""The plan and the pod of a scoring run: the engine beside the scorer, as it would serve."""

from dataclasses import replace
from typing import Any, Literal

from martlet_api import benchmarks
from martlet_api.contract import EvaluatePlan, OutputPlan, Plan
from martlet_api.evalrun import OWN_ROWS, PERPLEXITY, EvalRunSpec, Suite
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
from martlet_operator.inputs.models import KnownModel, not_served
from martlet_operator.inputs.wanted import (
    Inputs,
    Wanted,
    WantedDataset,
    WantedModel,
)
from martlet_operator.settings import Settings

Object = dict[str, Any]
Subject = Literal["Model", "Baseline"]

BASELINE = "baseline"
STAGES: dict[Subject, str] = {"Model": "evaluate", "Baseline": BASELINE}
_FLOW = "evaluate"


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
    """Why no engine loads a model, which may not be known yet."""
    return not_served(model) or choice.problem(spec.engine, model, spec.pod)


def of_subject(inputs: Inputs, subject: Subject) -> Inputs:
    """The inputs of the pod that scores one of the two models."""
    model = inputs.model if subject == "Model" else inputs.models[BASELINE]
    assert model is not None
    suites = [item for item in inputs.locked if item.kind != "Model"]
    return replace(inputs, model=model, locked=[*model.inputs(), *suites])


def plan(at: Pass, inputs: Inputs, subject: Subject) -> Plan:
    spec: EvalRunSpec = at.spec
    evaluate = EvaluatePlan(
        subject=subject,
        endpoint=ENDPOINT,
        served_name=SERVED_NAME,
        suites=spec.suites,
        generation=spec.generation,
        output=_output(at, inputs, subject),
    )
    assert inputs.model is not None
    serve = serve_plan(spec.engine, inputs.model, spec.pod)
    return plan_of(at.resource, inputs, at.run, evaluate=evaluate, serve=serve)


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
    """The scorer beside the engine; where rows are kept, it writes them."""
    output = spec.output.uri if spec.output else None
    return asking_template(
        stage, _FLOW, spec.engine, spec.pod, plan, inputs, settings, output=output
    )
