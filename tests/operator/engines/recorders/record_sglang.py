"""SGLang's metrics page, written by its own classes: six requests done, two refused, one failed.

Run by an interpreter that has SGLang, without an accelerator. The two modules that make metrics are
loaded alone: what they import besides wants an accelerator, and is not asked for anything here.
"""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp()
found = importlib.util.find_spec("sglang")
assert found
assert found.origin
ROOT = Path(found.origin).parent / "srt"


def pretend(name: str, **attributes: object) -> None:
    module = ModuleType(name)
    module.__dict__.update(attributes, __path__=[])
    sys.modules[name] = module


def load(name: str) -> ModuleType:
    file = ROOT / f"{name.replace('.', '/')}.py"
    spec = importlib.util.spec_from_file_location(f"sglang.srt.{name}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Settings:
    """What is not set is None."""

    prefill_delayer_max_delay_passes = 30

    def __getattr__(self, name: str) -> None:
        return None


for package in ("sglang", *(f"sglang.srt{n}" for n in ("", ".disaggregation", ".model_executor"))):
    pretend(package)
pretend("sglang.srt.observability")
pretend("sglang.srt.disaggregation.utils", DisaggregationMode=MagicMock())
pretend("sglang.srt.model_executor.forward_batch_info", ForwardMode=MagicMock())
pretend("sglang.srt.server_args", ServerArgs=object)
pretend("sglang.srt.utils", get_bool_env_var=lambda name: False)
parts = ("context", "disagg", "observability", "parallel", "schedule", "serving")
pretend(
    "sglang.srt.runtime_context",
    exports_expert_balancedness_to_prometheus=lambda: False,
    **{f"get_{part}": Settings for part in parts},
)
pretend(
    "sglang.srt.observability.scheduler_stage_metrics",
    FORWARD_OVERLAP_CATEGORIES=(),
    FORWARD_OVERLAP_NONE="none",
    SCHEDULER_STAGE_CATEGORIES=(),
)
load("utils.gauge_histogram")
load("observability.utils")
collectors = load("observability.metrics_collector")
http = load("observability.http_request_metrics")

labels = {"model_name": "thing", "engine_type": "unified"}
tokenizer = collectors.TokenizerMetricsCollector(labels=labels)
for number in range(6):
    stream = number % 2 == 0
    tokenizer.observe_one_finished_request(
        labels, 5, 7, 0, 0.5 + number, has_grammar=False, is_streaming=stream
    )
    tokenizer.observe_time_to_first_token(labels, 0.03 * (number + 1), stream=stream)
    tokenizer.observe_inter_token_latency(labels, 0.12, 6)

ranks = {"tp_rank": 0, "pp_rank": 0, "moe_ep_rank": 0}
scheduler = collectors.SchedulerMetricsCollector(labels={**labels, **ranks}, server_args=None)
stats = collectors.SchedulerStats()
stats.num_running_reqs = collectors.QueueCount(2)
stats.num_queue_reqs = collectors.QueueCount(1)
stats.token_usage = 0.25
scheduler.log_stats(stats)

http.init_http_request_metrics()
for code, path, method, count in (
    ("200", "/v1/completions", "POST", 6),
    ("400", "/v1/completions", "POST", 2),
    ("500", "/v1/completions", "POST", 1),
    ("503", "/health", "GET", 4),
):
    answered = http._http_request_metrics.responses_total
    answered.labels(endpoint=path, method=method, status_code=code).inc(count)

from prometheus_client import CollectorRegistry, generate_latest, multiprocess  # noqa: E402

registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
