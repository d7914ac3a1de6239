"""The containers that bring inputs: preflight, which locks them, and stage, which lays them out."""

from typing import Any

from martlet_api.contract import CACHE_LIMIT_ENV, POD_ENV
from martlet_operator.inputs.cache import Cache
from martlet_operator.pods.containers import container, offline, online
from martlet_operator.pods.volumes import mounts
from martlet_operator.settings import Images

Object = dict[str, Any]

PREFLIGHT, STAGE = "preflight", "stage"


def runtime_command(flow: str) -> list[str]:
    return ["python", "-m", "martlet_runtime", flow]


def preflight_container(
    images: Images,
    claims: list[str],
    writable: str | None,
    secrets: list[str],
    cache: Cache | None = None,
) -> Object:
    """Resolves and checks every input; the only container of its pod. ``writable`` is the claim
    that it writes what it found to."""
    return _bringer(PREFLIGHT, images, claims, secrets, cache, writable)


def bringing(
    images: Images, claims: list[str], secrets: list[str], cache: Cache | None = None
) -> list[Object]:
    """The init containers that bring the inputs and check every file's digest; where there is a
    cache, with the sidecar that holds what is used of it until the pod ends."""
    stage = _bringer(STAGE, images, claims, secrets, cache)
    return [_lease(images, cache), stage] if cache else [stage]


def _lease(images: Images, cache: Cache) -> Object:
    """Runs beside the others for as long as any does."""
    mounted = mounts([], cache, brings=True)
    made = container(
        "lease",
        images.runtime,
        images.pull_policy,
        runtime_command("lease"),
        mounted,
        env=offline(),
    )
    return {**made, "env": [*made["env"], *_cache_env(cache)], "restartPolicy": "Always"}


def _bringer(
    flow: str,
    images: Images,
    claims: list[str],
    secrets: list[str],
    cache: Cache | None,
    writable: str | None = None,
) -> Object:
    made = container(
        flow,
        images.runtime,
        images.pull_policy,
        runtime_command(flow),
        mounts(claims, cache, writable=writable, brings=True),
        env=online(),
        secrets=secrets,
    )
    return {**made, "env": [*made["env"], *_cache_env(cache)]}


def _cache_env(cache: Cache | None) -> list[Object]:
    if cache is None:
        return []
    pod = {"fieldRef": {"fieldPath": "metadata.uid"}}
    return [
        {"name": CACHE_LIMIT_ENV, "value": str(cache.limit)},
        {"name": POD_ENV, "valueFrom": pod},
    ]
