"""The Job that locks inputs: it resolves every name and checks what it finds."""

from typing import Any

from martlet_api.contract import ContaminationPlan, EstimatePlan, Plan, RowsPlan
from martlet_api.pods import PodSettings
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.naming import stage_name
from martlet_operator.pods.containers import pod_spec
from martlet_operator.pods.jobs import job, plan_map
from martlet_operator.pods.stage import PREFLIGHT, preflight_container
from martlet_operator.pods.volumes import claim_of, claims_of, volumes
from martlet_operator.settings import Settings

Object = dict[str, Any]

STAGE = PREFLIGHT


def preflight_objects(
    resource: Object,
    run: str,
    inputs: Inputs,
    pod: PodSettings,
    settings: Settings,
    rows: RowsPlan | None = None,
    estimate: EstimatePlan | None = None,
    contamination: ContaminationPlan | None = None,
    *,
    retries: int,
    suspend: bool,
) -> list[Object]:
    """The plan and the Job. It runs where the work will run, but asks for no accelerator."""
    metadata = resource["metadata"]
    plan = Plan(
        kind=resource["kind"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        run=run,
        inputs=inputs.unlocked,
        rows=rows,
        estimate=estimate,
        contamination=contamination,
    )
    output = [rows.uri] if rows and rows.uri else []
    shapes = [estimate.model.uri] if estimate else []
    compared = _uris(contamination) if contamination else []
    claims = claims_of([*(item.uri for item in inputs.unlocked), *output, *shapes, *compared])
    writable = next(map(claim_of, output), None)
    template = pod_spec(
        pod.model_copy(update={"runtime_class_name": None}),
        init=[],
        containers=[
            preflight_container(
                settings.images, claims, writable, list(inputs.secrets), inputs.cache
            )
        ],
        volumes=volumes(stage_name(plan.name, run, STAGE), claims, inputs.cache),
    )
    work = job(plan, STAGE, resource, template, retries=retries, suspend=suspend)
    return [plan_map(plan, STAGE, resource), work]


def _uris(plan: ContaminationPlan) -> list[str]:
    written = [found.uri for found in plan.trained_on if found.uri]
    return [*written, *(suite.uri for suite in plan.suites)]
