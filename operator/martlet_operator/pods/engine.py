"""The engine's container: the same for scoring and for serving."""

from functools import cache
from importlib.resources import files
from typing import Any

from martlet_api.contract import ENGINE_PORT, INPUTS_PATH
from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.inputs.models import KnownModel
from martlet_operator.pods.containers import container, offline, resources
from martlet_operator.settings import Images

Object = dict[str, Any]

CONTAINER = "engine"
_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM's --max-lora-rank takes (vllm/config/lora.py, MaxLoRARanks)."""
_START_LIMIT_SECONDS = 1800
_PROBE_PERIOD = 2


def engine_container(
    engine: Engine,
    model: KnownModel,
    served_name: str,
    pod: PodSettings,
    images: Images,
    mounted: list[Object],
) -> Object:
    """vLLM on the model that the stage container laid out, on port 8080.

    The startup probe asks for a real completion: vLLM's /health answers 200 even where the first
    request will kill the engine.
    """
    on_accelerator = pod.accelerator is not None
    return {
        **container(
            CONTAINER,
            engine_image(pod, images),
            images.pull_policy,
            ["python3", "-m", "vllm.entrypoints.openai.api_server"],
            mounted,
            env=environment(on_accelerator=on_accelerator),
            resources=resources(pod),
        ),
        "args": arguments(engine, model, served_name, on_accelerator=on_accelerator, pod=pod),
        "ports": [{"name": "http", "containerPort": ENGINE_PORT}],
        "startupProbe": _startup_probe(served_name),
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": ENGINE_PORT},
            "periodSeconds": 5,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": ENGINE_PORT},
            "periodSeconds": 10,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
    }


def engine_image(pod: PodSettings, images: Images) -> str:
    """The user's image, or ours for the accelerator."""
    return pod.image or (images.vllm_cuda if pod.accelerator else images.vllm_cpu)


def arguments(
    engine: Engine,
    model: KnownModel,
    served_name: str,
    *,
    on_accelerator: bool,
    pod: PodSettings | None = None,
) -> list[str]:
    """vLLM's arguments. An adapter is served over its base, under the served name."""
    pod = pod or PodSettings()
    base_name = f"{served_name}-base" if model.base else served_name
    out = [
        *("--model", f"{INPUTS_PATH}/model"),
        *("--served-model-name", base_name),
        *("--host", "0.0.0.0"),  # noqa: S104 - the pod's own address
        *("--port", str(ENGINE_PORT)),
    ]
    if engine.max_model_len:
        out += ["--max-model-len", str(engine.max_model_len)]
    if on_accelerator and (pod.accelerators_per_pod or 1) > 1:
        out += ["--tensor-parallel-size", str(pod.accelerators_per_pod)]
    if not on_accelerator:
        out += ["--enforce-eager"]
    if model.base:
        out += ["--enable-lora", "--lora-modules", f"{served_name}={INPUTS_PATH}/adapter"]
        out += ["--max-lora-rank", str(lora_rank_limit(model.lora_rank))]
    return [*out, *(engine.args or [])]


def lora_rank_limit(rank: int | None) -> int:
    """The smallest limit of vLLM's that holds the adapter's rank."""
    return next(limit for limit in _LORA_RANKS if limit >= (rank or 8))


def environment(*, on_accelerator: bool) -> dict[str, str]:
    """Variables of vLLM: nothing is fetched; on a CPU the cache of keys and values is bounded, and
    nothing is compiled: a request for logprobs would want a C++ compiler, and kill the engine."""
    cpu = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCHDYNAMO_DISABLE": "1"}
    return offline(VLLM_CACHE_ROOT="/tmp/vllm", **({} if on_accelerator else cpu))  # noqa: S108


@cache
def probe_program() -> str:
    """The text of the start-up probe, run by the image's own python without a shell."""
    return files("martlet_operator.pods").joinpath("completion_probe.py").read_text()


def _startup_probe(served_name: str) -> Object:
    return {
        "exec": {
            "command": ["python3", "-IS", "-c", probe_program(), str(ENGINE_PORT), served_name]
        },
        "periodSeconds": _PROBE_PERIOD,
        "timeoutSeconds": 30,
        "failureThreshold": _START_LIMIT_SECONDS // _PROBE_PERIOD,
    }
