"""vLLM: 0.32 on a CPU, 0.33 on an accelerator.

Told to stop, it ends its requests within ``--shutdown-timeout``, and is gone as soon as they are.
"""

from martlet_api.contract import ENGINE_PORT, INPUTS_PATH
from martlet_operator.engines.dialect import EngineDialect, Launch, Processor
from martlet_operator.engines.measures import ANSWERED, FAILED, GENERATES, Measures, Series
from martlet_operator.pods.containers import offline
from martlet_operator.settings import Images

_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM's --max-lora-rank takes (vllm/config/lora.py, MaxLoRARanks)."""


_ANYWHERE = frozenset(
    {
        *("awq", "gptq", "compressed-tensors", "fp8", "fbgemm_fp8", "mxfp4", "mxfp8", "quark"),
        *("modelopt", "modelopt_fp4", "modelopt_mxfp8", "modelopt_mixed", "torchao", "auto-round"),
    }
)
FORMATS: dict[Processor, frozenset[str]] = {
    "CPU": _ANYWHERE,
    "NVIDIA": _ANYWHERE,
    "AMD": _ANYWHERE,
    "other": _ANYWHERE,
}
"""vllm/model_executor/layers/quantization/__init__.py (method_to_config) and inc/inc.py; for AMD
vllm/platforms/rocm.py (supported_quantization). bitsandbytes and GGUF are gone from it. What a
processor has kernels for is asked in the pod, which knows it."""


def image(images: Images, on: Processor) -> str:
    return images.vllm_cpu if on == "CPU" else images.vllm_cuda


def arguments(launch: Launch) -> list[str]:
    """An adapter is served over its base, under the served name."""
    engine, model = launch.engine, launch.model
    out = [
        *("--model", f"{INPUTS_PATH}/model"),
        *("--served-model-name", launch.base_name),
        *("--host", "0.0.0.0"),  # noqa: S104 - the pod's own address
        *("--port", str(ENGINE_PORT)),
        # What is asked every few seconds would push an engine's last words out of the message.
        *("--disable-access-log-for-endpoints", "/health,/metrics"),
    ]
    if engine.max_model_len:
        out += ["--max-model-len", str(engine.max_model_len)]
    if launch.accelerators > 1:
        out += ["--tensor-parallel-size", str(launch.accelerators)]
    if launch.drain_seconds:
        # Left out, requests are aborted as soon as the pod is told to stop.
        out += ["--shutdown-timeout", str(launch.drain_seconds)]
    if not launch.on_accelerator:
        out += ["--enforce-eager"]
    if model.is_adapter:
        out += ["--enable-lora", "--lora-modules", f"{launch.served_name}={INPUTS_PATH}/adapter"]
        out += ["--max-lora-rank", str(lora_rank_limit(model.lora_rank))]
    return out


def lora_rank_limit(rank: int | None) -> int:
    """The smallest limit of vLLM's that holds the adapter's rank."""
    return next(limit for limit in _LORA_RANKS if limit >= (rank or 8))


def environment(launch: Launch) -> dict[str, str]:
    """Nothing is fetched; on a CPU the cache of keys and values is bounded, and nothing is
    compiled: a request for logprobs would want a C++ compiler, and kill the engine."""
    cpu = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCHDYNAMO_DISABLE": "1"}
    more = {} if launch.on_accelerator else cpu
    return offline(VLLM_CACHE_ROOT="/tmp/vllm", **more)  # noqa: S108 - the pod's own


def _http(status: str) -> Series:
    labels = {"handler": GENERATES, "method": "POST", "status": status}
    return Series("http_requests_total", labels)


_BROKEN_OFF = Series("vllm:request_success_total", {"finished_reason": "error"})
"""A stream that broke off was answered 200 before; one that was no stream gives 500 besides, and is
counted twice, both times as a request and as a failure."""

MEASURES = Measures(
    prefix="vllm:",
    requests=(_http(ANSWERED), _BROKEN_OFF),
    errors=(_http(FAILED), _BROKEN_OFF),
    generated_tokens=(Series("vllm:generation_tokens_total"),),
    running=(Series("vllm:num_requests_running"),),
    waiting=(Series("vllm:num_requests_waiting"),),
    cache_use=(Series("vllm:kv_cache_usage_perc"),),
    histograms={
        "TimeToFirstToken": Series("vllm:time_to_first_token_seconds"),
        "InterTokenLatency": Series("vllm:inter_token_latency_seconds"),
        "EndToEndLatency": Series("vllm:e2e_request_latency_seconds"),
    },
)
"""vllm/v1/metrics/loggers.py (PrometheusStatLogger) and
vllm/entrypoints/serve/instrumentator/metrics.py, the same in 0.32 and 0.33."""

DIALECT = EngineDialect(
    type="vLLM",
    versions={"CPU": "0.32.0", "NVIDIA": "0.33.0"},
    formats=FORMATS,
    image=image,
    command=("python3", "-m", "vllm.entrypoints.openai.api_server"),
    arguments=arguments,
    environment=environment,
    idle_variable="VLLM_HTTP_TIMEOUT_KEEP_ALIVE",
    measures=MEASURES,
)
