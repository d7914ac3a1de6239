"""vLLM's metrics page before its first completion, written by its own classes and by its own
middleware, which saw four requests.

Run by an interpreter that has vLLM, without an accelerator.
"""

import prometheus_client
import vllm.platforms

if not vllm.platforms.current_platform.device_type:
    vllm.platforms.current_platform.device_type = "cuda"  # there is none, and none is used

from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from vllm.entrypoints.serve.instrumentator.metrics import attach_router
from vllm.v1.metrics.loggers import PrometheusStatLogger


class Config:
    """What is not set is None."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> None:
        return None


PrometheusStatLogger(
    Config(
        model_config=Config(served_model_name="thing", max_model_len=64),
        observability_config=Config(),
        parallel_config=Config(),
        cache_config=Config(),
        scheduler_config=Config(),
    ),
    [0],
)
app = FastAPI()
attach_router(app)


@app.post("/v1/completions")
async def completions(status: int) -> Response:
    return Response(status_code=status)


client = TestClient(app)
for status in (200, 200, 404, 500):
    client.post("/v1/completions", params={"status": status})
print(prometheus_client.generate_latest().decode())
