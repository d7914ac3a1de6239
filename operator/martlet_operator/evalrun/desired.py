"""The plan and the pod of a scoring run: the engine beside the scorer, as it would serve."""

from dataclasses import replace
from typing import Any, Literal

from martlet_api import benchmarks
from martlet_api.contract import (
    ENGINE_PORT,
    METRICS_PORT,
    EvaluatePlan,
    OutputPlan,
    Plan,
    ServePlan,
)
from martlet_api.evalrun import OWN_ROWS, PERPLEXITY, EvalRunSpec, Suite
from martlet_api.references import ModelSource
from martlet_operator.batch.kind import Pass, plan_of
from martlet_operator.batch.output import output_plan
from martlet_operator.engines.container import engine_container
from martlet_operator.inputs.models import KnownModel, not_served
from martlet_operator.inputs.wanted import (
    Inputs,
    Wanted,
    WantedDataset,
    WantedModel,
)
from martlet_operator.naming import stage_name
from martlet_operator.pods.containers import container, offline, pod_spec
from martlet_operator.pods.stage import bringing, runtime_command
from martlet_operator.pods.volumes import claim_of, claims_of, mounts, volumes
from martlet_operator.settings import Settings

Object = dict[str, Any]
Subject = Literal["Model", "Baseline"]

BASELINE = "baseline"
STAGES: dict[Subject, str] = {"Model": "evaluate", "Baseline": BASELINE}
_FLOW = "evaluate"
SERVED_NAME = "model"


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
    """What cannot be scored: a benchmark that is not known or whose data is nowhere named, or what
    the engine cannot load."""
    wrong = (benchmarks.problem(suite) for suite in spec.suites)
    return next(filter(None, wrong), None) or not_served(model)


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
        endpoint=f"http://127.0.0.1:{ENGINE_PORT}/v1",
        served_name=SERVED_NAME,
        suites=spec.suites,
        generation=spec.generation,
        output=_output(at, inputs, subject),
    )
    on_accelerator = spec.pod.accelerator is not None
    serve = ServePlan(engine=spec.engine.type, on_accelerator=on_accelerator)
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
    """stage, then the engine as a native sidecar, then the scorer once the engine answers."""
    assert inputs.model is not None
    output = [spec.output.uri] if spec.output else []
    images, claims = settings.images, claims_of([*inputs.uris, *output])
    mounted = mounts(claims, inputs.cache)
    engine = engine_container(spec.engine, inputs.model, SERVED_NAME, spec.pod, images, mounted)
    scorer = container(
        stage,
        images.runtime,
        images.pull_policy,
        runtime_command(_FLOW),
        mounts(claims, inputs.cache, writable=next(map(claim_of, output), None)),
        env=offline(),
    )
    return pod_spec(
        spec.pod,
        init=[
            *bringing(images, claims, list(inputs.secrets), inputs.cache),
            {**engine, "restartPolicy": "Always"},
        ],
        containers=[{**scorer, "ports": [{"name": "metrics", "containerPort": METRICS_PORT}]}],
        volumes=volumes(stage_name(plan.name, plan.run, stage), claims, inputs.cache),
    )
