"""What the operator is told by its environment; the chart sets each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Images:
    """The images of the pods' containers."""

    runtime: str
    vllm_cpu: str
    vllm_cuda: str
    lmdeploy: str
    sglang: str
    pull_policy: str = "IfNotPresent"


@dataclass(frozen=True)
class Settings:
    """``namespaces`` empty means all of them. Times are seconds. ``prometheus`` is the address that
    guards' queries are asked of; empty where there is none."""

    images: Images
    namespaces: tuple[str, ...] = ()
    identity: str = "martlet"
    own_namespace: str = "martlet-system"
    log_level: str = "INFO"
    workers: int = 16
    resync_period: float = 300.0
    health_port: int = 8081
    metrics_port: int = 9090
    prometheus: str = ""


def from_environment(env: Mapping[str, str] | None = None) -> Settings:
    """Reads MARTLET_*; raises KeyError naming the first image that is not set."""
    env = os.environ if env is None else env
    images = Images(
        runtime=env["MARTLET_IMAGE_RUNTIME"],
        vllm_cpu=env["MARTLET_IMAGE_VLLM_CPU"],
        vllm_cuda=env["MARTLET_IMAGE_VLLM_CUDA"],
        lmdeploy=env["MARTLET_IMAGE_LMDEPLOY"],
        sglang=env["MARTLET_IMAGE_SGLANG"],
        pull_policy=env.get("MARTLET_IMAGE_PULL_POLICY", "IfNotPresent"),
    )
    names = env.get("MARTLET_NAMESPACES", "")
    return Settings(
        images=images,
        namespaces=tuple(name.strip() for name in names.split(",") if name.strip()),
        identity=env.get("POD_NAME", "martlet"),
        own_namespace=env.get("POD_NAMESPACE", "martlet-system"),
        log_level=env.get("MARTLET_LOG_LEVEL", "INFO"),
        resync_period=float(env.get("MARTLET_RESYNC_SECONDS", "300")),
        prometheus=env.get("MARTLET_PROMETHEUS", ""),
    )
