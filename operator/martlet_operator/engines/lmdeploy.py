"""LMDeploy 0.18, on an accelerator.

Told to stop, it takes no more connections and ends its requests, however long they take (uvicorn's
own way: serve/openai/api_server.py sets no limit); the kubelet ends what is left.
"""

from martlet_api.contract import ENGINE_PORT, INPUTS_PATH
from martlet_operator.engines.dialect import EngineDialect, Launch, Processor
from martlet_operator.engines.measures import Measures, Series
from martlet_operator.pods.containers import offline
from martlet_operator.settings import Images

_READ = frozenset({"awq", "gptq", "compressed-tensors", "fp8", "mxfp4", "smooth_quant"})
FORMATS: dict[Processor, frozenset[str]] = {"NVIDIA": _READ, "other": _READ}
"""turbomind/converter.py (get_tm_config), and smooth_quant by the PyTorch backend
(pytorch/nn/linear). ``--device`` knows cuda, ascend, maca and camb: no CPU, no AMD. Of
compressed-tensors it reads packed 4-bit integers alone; the stage container looks."""


def image(images: Images, on: Processor) -> str:
    return images.lmdeploy


def arguments(launch: Launch) -> list[str]:
    """An adapter is served over its base, under the served name, by the PyTorch backend: TurboMind
    takes none, and says nothing of it. Metrics are on by themselves."""
    out = [
        f"{INPUTS_PATH}/model",
        *("--model-name", launch.base_name),
        *("--server-name", "0.0.0.0"),  # noqa: S104 - the pod's own address
        *("--server-port", str(ENGINE_PORT)),
    ]
    if launch.engine.max_model_len:
        out += ["--session-len", str(launch.engine.max_model_len)]
    if launch.accelerators > 1:
        out += ["--tp", str(launch.accelerators)]
    if launch.model.is_adapter:
        out += ["--backend", "pytorch"]
        out += ["--adapters", f"{launch.served_name}={INPUTS_PATH}/adapter"]
    return out


def environment(launch: Launch) -> dict[str, str]:
    return offline()


_SUCCEEDED = Series("lmdeploy:num_requests_succeeded")
_FAILED = Series("lmdeploy:num_requests_failed")

MEASURES = Measures(
    prefix="lmdeploy:",
    requests=(_SUCCEEDED, _FAILED),
    errors=(_FAILED,),
    generated_tokens=(Series("lmdeploy:generation_tokens_total"),),
    running=(Series("lmdeploy:num_requests_running"),),
    waiting=(Series("lmdeploy:num_requests_waiting"),),
    cache_use=(Series("lmdeploy:gpu_cache_usage_perc"),),
    histograms={
        "TimeToFirstToken": Series("lmdeploy:time_to_first_token_seconds"),
        "InterTokenLatency": Series("lmdeploy:iter_token_latency"),
        "EndToEndLatency": Series("lmdeploy:e2e_request_latency_seconds"),
    },
)
"""lmdeploy/metrics/loggers.py (PrometheusStatLogger).

Both counts of requests are gauges that only grow (metrics/stats.py, SchedulerStats), written
together every 10 s (serve/openai/api_server.py, _force_log). ``lmdeploy:request_success_total`` is
not taken: it is written at once, and the failures beside it are not. A failure is any of cancelled
by the client, aborted and errored, a client's invalid request among them: LMDeploy does not tell
them apart and has no ``http_*``.
"""

DIALECT = EngineDialect(
    type="LMDeploy",
    versions={"NVIDIA": "0.18.0"},
    formats=FORMATS,
    image=image,
    command=("python3", "-m", "lmdeploy", "serve", "api_server"),
    arguments=arguments,
    environment=environment,
    idle_variable="UVICORN_TIMEOUT_KEEP_ALIVE",
    measures=MEASURES,
    adapter_args=("--backend",),
)
