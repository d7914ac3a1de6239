"""SGLang 0.5, on an accelerator."""

from martlet_operator.engines.measures import ANSWERED, FAILED, GENERATES, Measures, Series


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
