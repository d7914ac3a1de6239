"""The containers that bring inputs: preflight, which locks them, and stage, which lays them out."""

from typing import Any

from martlet_operator.pods.containers import container, online
from martlet_operator.pods.volumes import mounts
from martlet_operator.settings import Images

Object = dict[str, Any]


def runtime_command(flow: str) -> list[str]:
    return ["python", "-m", "martlet_runtime", flow]


def preflight_container(
    images: Images, claims: list[str], writable: str | None, secrets: list[str]
) -> Object:
    """Resolves and checks every input; the only container of its pod. ``writable`` is the claim
    that it writes what it found to."""
    return _bringer("preflight", images, claims, secrets, writable)


def stage_container(images: Images, claims: list[str], secrets: list[str]) -> Object:
    """The init container that brings the inputs and checks every file's digest."""
    return _bringer("stage", images, claims, secrets)


def _bringer(
    flow: str,
    images: Images,
    claims: list[str],
    secrets: list[str],
    writable: str | None = None,
) -> Object:
    return container(
        flow,
        images.runtime,
        images.pull_policy,
        runtime_command(flow),
        mounts(claims, writable=writable, inputs_writable=True),
        env=online(),
        secrets=secrets,
    )
