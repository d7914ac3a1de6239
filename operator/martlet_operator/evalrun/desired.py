"""The plan and the pod of a scoring run: the engine beside the scorer, as it would serve."""

from typing import Any

from martlet_api.contract import ENGINE_PORT, METRICS_PORT, EvaluatePlan, Plan, ServePlan
from martlet_api.evalrun import EvalRunSpec, EvalRunStatus
from martlet_operator.batch.kind import plan_of
from martlet_operator.inputs.models import KnownModel, not_served
from martlet_operator.inputs.wanted import Inputs, Wanted, WantedDataset
from martlet_operator.naming import stage_name
from martlet_operator.pods.containers import container, offline, pod_spec
from martlet_operator.pods.engine import engine_container
from martlet_operator.pods.stage import bringing, runtime_command
from martlet_operator.pods.volumes import claims_of, mounts, volumes
from martlet_operator.settings import Settings

Object = dict[str, Any]

STAGE = "evaluate"
SERVED_NAME = "model"


def inputs(spec: EvalRunSpec) -> list[Wanted]:
    return [
        WantedDataset(f"suite-{suite.name}", suite.dataset, "Evaluation", suite.benchmark)
        for suite in spec.suites
    ]


def refusal(spec: EvalRunSpec, model: KnownModel | None) -> str | None:
    """What the engine cannot load, it cannot score."""
    return not_served(model)


def plan(
    resource: Object, spec: EvalRunSpec, status: EvalRunStatus, inputs: Inputs, run: str
) -> Plan:
    evaluate = EvaluatePlan(
        endpoint=f"http://127.0.0.1:{ENGINE_PORT}/v1",
        served_name=SERVED_NAME,
        suites=spec.suites,
        generation=spec.generation,
    )
    on_accelerator = spec.pod.accelerator is not None
    serve = ServePlan(engine=spec.engine.type, on_accelerator=on_accelerator)
    return plan_of(resource, inputs, run, evaluate=evaluate, serve=serve)


def template(spec: EvalRunSpec, plan: Plan, inputs: Inputs, settings: Settings) -> Object:
    """stage, then the engine as a native sidecar, then the scorer once the engine answers."""
    assert inputs.model is not None
    images, claims = settings.images, claims_of(inputs.uris)
    mounted = mounts(claims, inputs.cache)
    engine = engine_container(spec.engine, inputs.model, SERVED_NAME, spec.pod, images, mounted)
    scorer = container(
        STAGE,
        images.runtime,
        images.pull_policy,
        runtime_command(STAGE),
        mounted,
        env=offline(),
    )
    return pod_spec(
        spec.pod,
        init=[
            *bringing(images, claims, list(inputs.secrets), inputs.cache),
            {**engine, "restartPolicy": "Always"},
        ],
        containers=[{**scorer, "ports": [{"name": "metrics", "containerPort": METRICS_PORT}]}],
        volumes=volumes(stage_name(plan.name, plan.run, STAGE), claims, inputs.cache),
    )
