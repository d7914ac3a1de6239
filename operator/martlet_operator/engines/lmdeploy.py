"""LMDeploy 0.18, on an accelerator."""

from martlet_operator.engines.measures import Measures, Series

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
