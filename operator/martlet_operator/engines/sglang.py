"""SGLang 0.5, on an accelerator.

Told to stop, it answers 503 to /health, ends its requests, however long they take, and is gone
(srt/managers/tokenizer_manager.py, sigterm_watchdog); the kubelet ends what is left.
"""

from martlet_api.contract import ENGINE_PORT, INPUTS_PATH
from martlet_operator.engines.dialect import EngineDialect, Launch, Processor
from martlet_operator.engines.measures import ANSWERED, FAILED, GENERATES, Measures, Series
from martlet_operator.pods.containers import offline
from martlet_operator.settings import Images

_AMD = frozenset({"awq", "compressed-tensors", "fp8", "mxfp4", "mxfp8", "quark", "auto-round"})
_NVIDIA = frozenset(
    {
        *(_AMD | {"gptq", "bitsandbytes", "blockwise_int8", "w8a8_int8", "w8a8_fp8", "w4afp8"}),
        *("modelopt", "modelopt_fp8", "modelopt_fp4", "modelopt_mixed"),
    }
)
FORMATS: dict[Processor, frozenset[str]] = {
    "NVIDIA": _NVIDIA,
    "AMD": _AMD | {"w8a8_fp8"},
    "other": _NVIDIA,
}
"""srt/layers/quantization/__init__.py (BASE_QUANTIZATION_METHODS; gptq is read as gptq_marlin) and,
for AMD, srt/configs/model_config.py (rocm_supported_quantization). Its code has a way for CPUs, but
the kernels that its package brings (sglang-kernel) are CUDA's."""


def image(images: Images, on: Processor) -> str:
    return images.sglang


def arguments(launch: Launch) -> list[str]:
    out = [
        *("--model-path", f"{INPUTS_PATH}/model"),
        *("--served-model-name", launch.served_name),
        *("--host", "0.0.0.0"),  # noqa: S104 - the pod's own address
        *("--port", str(ENGINE_PORT)),
        "--enable-metrics",
    ]
    if launch.engine.max_model_len:
        out += ["--context-length", str(launch.engine.max_model_len)]
    if launch.accelerators > 1:
        out += ["--tp-size", str(launch.accelerators)]
    return out


def environment(launch: Launch) -> dict[str, str]:
    return offline()


def _http(status: str) -> Series:
    labels = {"endpoint": GENERATES, "method": "POST", "status_code": status}
    return Series("sglang:http_responses_total", labels)


MEASURES = Measures(
    prefix="sglang:",
    requests=(_http(ANSWERED),),
    errors=(_http(FAILED),),
    generated_tokens=(Series("sglang:generation_tokens_total"),),
    running=(Series("sglang:num_running_reqs"),),
    waiting=(Series("sglang:num_queue_reqs"),),
    cache_use=(Series("sglang:token_usage"),),
    histograms={
        "TimeToFirstToken": Series("sglang:time_to_first_token_seconds", {"is_streaming": "true"}),
        "InterTokenLatency": Series("sglang:inter_token_latency_seconds"),
        "EndToEndLatency": Series("sglang:e2e_request_latency_seconds"),
    },
)
"""srt/observability/metrics_collector.py and srt/observability/http_request_metrics.py.

A response is counted when it begins, so a stream that breaks off stays 200, and nothing else tells
of it. Tokens are counted when their request has ended. The first token of what is not streamed is
known when all are there, so only streams count for it.
"""

DIALECT = EngineDialect(
    type="SGLang",
    versions={"NVIDIA": "0.5.23"},
    formats=FORMATS,
    image=image,
    command=("python3", "-m", "sglang.launch_server"),
    arguments=arguments,
    environment=environment,
    idle_variable="SGLANG_TIMEOUT_KEEP_ALIVE",
    measures=MEASURES,
    # openai/serving_base.py: an adapter is asked for as BASE:ADAPTER. Under any other name, the
    # adapter's own among them, the base answers.
    adapter_problem="answers to the adapter's name from its base",
    flexible=False,
    health_seconds=25,  # it generates a token, for at least one second and at most 20
)
