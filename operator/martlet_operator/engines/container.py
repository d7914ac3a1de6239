"""The engine's container: the same for scoring and for serving."""

from functools import cache
from importlib.resources import files
from typing import Any

from martlet_api.contract import ENGINE_PORT
from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines.choice import choose, chosen
from martlet_operator.engines.dialect import Launch, processor
from martlet_operator.engines.known import DIALECTS
from martlet_operator.inputs.models import KnownModel
from martlet_operator.pods.containers import container, resources
from martlet_operator.settings import Images

Object = dict[str, Any]

CONTAINER = "engine"
_START_LIMIT_SECONDS = 1800
_PROBE_PERIOD = 2
_IDLE_SECONDS = 3700
"""A gateway keeps idle connections for its next requests, up to an hour (Envoy; Traefik 90 s). Each
engine by itself closes them after 5 s: what is sent at that moment is lost, with 502 or midway.
So it is the gateway that closes."""


def engine_container(
    engine: Engine,
    model: KnownModel,
    served_name: str,
    pod: PodSettings,
    images: Images,
    mounted: list[Object],
    *,
    drain_seconds: int = 0,
) -> Object:
    """An engine on the model that the stage container laid out, on port 8080, where it has its
    metrics too.

    The startup probe asks for a real completion: vLLM's /health answers 200 even where the first
    request will kill the engine. ``drain_seconds``: how long requests may take to their end once
    the container is told to stop.
    """
    engine = chosen(engine, model, pod)
    launch = Launch(engine, model, served_name, pod, drain_seconds)
    dialect = DIALECTS[choose(engine, model, pod).type]
    return {
        **container(
            CONTAINER,
            engine_image(engine, model, pod, images),
            images.pull_policy,
            list(dialect.command),
            mounted,
            env={**dialect.environment(launch), dialect.idle_variable: str(_IDLE_SECONDS)},
            resources=resources(pod),
        ),
        "args": [*dialect.arguments(launch), *(engine.args or [])],
        "ports": [{"name": "http", "containerPort": ENGINE_PORT}],
        "startupProbe": _startup_probe(served_name),
        "readinessProbe": _health_probe(5, dialect.health_seconds, failures=3),
        "livenessProbe": _health_probe(10, max(10, dialect.health_seconds), failures=6),
    }


def engine_image(engine: Engine, model: KnownModel, pod: PodSettings, images: Images) -> str:
    """The user's image, or ours for the engine and the accelerator."""
    return pod.image or DIALECTS[choose(engine, model, pod).type].image(images, processor(pod))


@cache
def probe_program() -> str:
    """The text of the start-up probe, run by the image's own python without a shell."""
    return files("martlet_operator.engines").joinpath("completion_probe.py").read_text()


def _health_probe(period: int, timeout: int, failures: int) -> Object:
    return {
        "httpGet": {"path": "/health", "port": ENGINE_PORT},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }


def _startup_probe(served_name: str) -> Object:
    return {
        "exec": {
            "command": ["python3", "-IS", "-c", probe_program(), str(ENGINE_PORT), served_name]
        },
        "periodSeconds": _PROBE_PERIOD,
        "timeoutSeconds": 30,
        "failureThreshold": _START_LIMIT_SECONDS // _PROBE_PERIOD,
    }
