"""Containers that are allowed in a ``restricted`` namespace."""

from collections.abc import Iterable
from typing import Any

from martlet_api.pods import PodSettings, ResourceRequirements

Object = dict[str, Any]

USER = 10001
_OFFLINE = {
    "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod's own
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads starve each other where CPUs are shared
    "VLLM_NO_USAGE_STATS": "1",
}
"""Only the containers that bring inputs may ask a hub for anything."""

_ONLINE = {
    "HOME": "/tmp",  # noqa: S108
    "HF_HUB_OFFLINE": "0",
    "TRANSFORMERS_OFFLINE": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def container(
    name: str,
    image: str,
    pull_policy: str,
    command: list[str],
    mounts: list[Object],
    *,
    env: dict[str, str] | None = None,
    secrets: Iterable[str] = (),
    resources: Object | None = None,
) -> Object:
    """One container: no privileges, read-only root, its last log lines kept if it dies.

    ``secrets`` name Secrets whose keys become variables, of a container that brings inputs.
    """
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "command": command,
        "env": [{"name": k, "value": v} for k, v in sorted((env or {}).items())],
        **({"envFrom": [{"secretRef": {"name": s}} for s in secrets]} if secrets else {}),
        "volumeMounts": mounts,
        **({"resources": resources} if resources else {}),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def offline(**extra: str) -> dict[str, str]:
    """Variables of a container that works on what was brought."""
    return {**_OFFLINE, **extra}


def online() -> dict[str, str]:
    """Variables of a container that brings inputs."""
    return dict(_ONLINE)


def resources(pod: PodSettings) -> Object | None:
    """Requests and limits of the container that does the work, accelerators included."""
    wanted = pod.resources or ResourceRequirements()
    out: Object = wanted.to_dict()
    if pod.accelerator:
        count = str(pod.accelerators_per_pod or 1)
        out["limits"] = {**out.get("limits", {}), pod.accelerator: count}
    return out or None


def pod_spec(
    pod: PodSettings,
    *,
    init: list[Object],
    containers: list[Object],
    volumes: list[Object],
    grace_seconds: int = 30,
) -> Object:
    """A pod without Kubernetes credentials that any ``restricted`` namespace accepts."""
    placed = {
        "nodeSelector": pod.node_selector,
        "tolerations": [t.to_dict() for t in pod.tolerations] if pod.tolerations else None,
        "priorityClassName": pod.priority_class_name,
        "runtimeClassName": pod.runtime_class_name,
    }
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({"initContainers": init} if init else {}),
        "containers": containers,
        "volumes": volumes,
        **{key: value for key, value in placed.items() if value},
    }
