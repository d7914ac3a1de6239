"""The pod of a stage that works with our runtime: stage brings the inputs, one container works."""

from typing import Any

from martlet_api.contract import METRICS_PORT, Plan
from martlet_api.pods import PodSettings
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.naming import stage_name
from martlet_operator.pods.containers import container, offline, pod_spec, resources
from martlet_operator.pods.stage import bringing, runtime_command
from martlet_operator.pods.volumes import claim_of, claims_of, mounts, volumes
from martlet_operator.settings import Settings

Object = dict[str, Any]


def working_template(
    stage: str,
    pod: PodSettings,
    plan: Plan,
    inputs: Inputs,
    settings: Settings,
    output: str,
    *,
    grace_seconds: int = 30,
) -> Object:
    """``output`` is the URI under which the container writes; its claim is the writable one."""
    claims = claims_of([*inputs.uris, output])
    images = settings.images
    worker = container(
        stage,
        pod.image or images.runtime,
        images.pull_policy,
        runtime_command(stage),
        mounts(claims, inputs.cache, writable=claim_of(output)),
        env=offline(),
        resources=resources(pod),
    )
    return pod_spec(
        pod,
        init=bringing(images, claims, list(inputs.secrets), inputs.cache),
        containers=[{**worker, "ports": [{"name": "metrics", "containerPort": METRICS_PORT}]}],
        volumes=volumes(stage_name(plan.name, plan.run, stage), claims, inputs.cache),
        grace_seconds=grace_seconds,
    )
