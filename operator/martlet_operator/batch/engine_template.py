"""The pod of a stage that asks an engine: stage brings the inputs, the engine runs beside it as it
would serve, unless it serves already, and one container of our runtime asks."""

from collections.abc import Sequence
from typing import Any

from martlet_api.contract import ENGINE_PORT, METRICS_PORT, Plan, ServePlan
from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines.choice import choose
from martlet_operator.engines.container import engine_container
from martlet_operator.inputs.models import KnownModel
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.naming import stage_name
from martlet_operator.pods.containers import container, offline, pod_spec
from martlet_operator.pods.stage import bringing, runtime_command
from martlet_operator.pods.volumes import claim_of, claims_of, mounts, volumes
from martlet_operator.settings import Images, Settings

Object = dict[str, Any]

SERVED_NAME = "model"
ENDPOINT = f"http://127.0.0.1:{ENGINE_PORT}/v1"


def serve_plan(engine: Engine, model: KnownModel, pod: PodSettings) -> ServePlan:
    """What the stage container checks before such an engine starts."""
    chosen = choose(engine, model, pod).type
    return ServePlan(engine=chosen, on_accelerator=pod.accelerator is not None)


def asking_template(
    stage: str,
    flow: str,
    engine: Engine | None,
    pod: PodSettings,
    plan: Plan,
    inputs: Inputs,
    settings: Settings,
    *,
    output: str | None = None,
    reports: bool = True,
    variables: Sequence[Object] = (),
) -> Object:
    """The engine is a native sidecar: the container ``stage`` runs ``flow`` once it has answered.
    None where one elsewhere is asked.

    ``output`` is the URI under which that one writes, if it does; ``reports``: it has a page of
    metrics; ``variables`` are for it alone. The pod's accelerator, resources and image are the
    engine's.
    """
    outputs = [output] if output else []
    images, claims = settings.images, claims_of([*inputs.uris, *outputs])
    served = _engine(engine, pod, inputs, images, mounts(claims, inputs.cache))
    asker = container(
        stage,
        images.runtime,
        images.pull_policy,
        runtime_command(flow),
        mounts(claims, inputs.cache, writable=next(map(claim_of, outputs), None)),
        env=offline(),
    )
    asker["env"] += variables
    page = {"ports": [{"name": "metrics", "containerPort": METRICS_PORT}]} if reports else {}
    return pod_spec(
        pod,
        init=[*bringing(images, claims, list(inputs.secrets), inputs.cache), *served],
        containers=[{**asker, **page}],
        volumes=volumes(stage_name(plan.name, plan.run, stage), claims, inputs.cache),
    )


def _engine(
    engine: Engine | None, pod: PodSettings, inputs: Inputs, images: Images, mounted: list[Object]
) -> list[Object]:
    if engine is None:
        return []
    assert inputs.model is not None
    made = engine_container(engine, inputs.model, SERVED_NAME, pod, images, mounted)
    return [{**made, "restartPolicy": "Always"}]
