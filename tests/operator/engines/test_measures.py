"""What is read of an engine's metrics page."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import page

from martlet_operator.engines import lmdeploy, sglang, vllm
from martlet_operator.engines.known import offers
from martlet_operator.engines.measures import (
    GUARD_METRICS,
    GuardMetric,
    Measures,
    Reading,
    Series,
    read,
)

RECORDED = {
    "vllm-0.32.0": vllm.MEASURES,
    "lmdeploy-0.18.0": lmdeploy.MEASURES,
    "sglang-0.5.23": sglang.MEASURES,
}


def without_histograms(found: Reading) -> Reading:
    return replace(found, histograms={})


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        # Seven answered, six refused as a client's mistakes.
        ("vllm-0.32.0", Reading(7, 0, 45, {}, 0, 0, 0)),
        # Six succeeded, one cancelled, one failed.
        ("lmdeploy-0.18.0", Reading(8, 2, 42, {}, 2, 1, 0.25)),
        # Six answered, one failed; two refused, and a health check, are no requests.
        ("sglang-0.5.23", Reading(7, 1, 42, {}, 2, 1, 0.25)),
    ],
)
def test_counts_and_gauges(name: str, wanted: Reading) -> None:
    assert without_histograms(read(page(name), RECORDED[name])) == wanted


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize(
    ("metric", "counts"),
    [
        # SGLang's first tokens are those of streams; latency is all requests'.
        ("TimeToFirstToken", (6, 6, 3)),
        ("InterTokenLatency", (39, 6, 36)),
        ("EndToEndLatency", (6, 6, 6)),
    ],
)
def test_histograms(name: str, metric: GuardMetric, counts: tuple[int, ...]) -> None:
    buckets = read(page(name), RECORDED[name]).histograms[metric]
    assert list(buckets) == sorted(buckets)
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets[inf] == counts[list(RECORDED).index(name)]
    assert len(buckets) > 15


def test_a_histogram_s_edges_are_seconds() -> None:
    """LMDeploy's recorded first tokens came after 0.03, 0.06 ... 0.18 s."""
    buckets = read(page("lmdeploy-0.18.0"), lmdeploy.MEASURES).histograms["TimeToFirstToken"]
    assert (buckets[0.02], buckets[0.04], buckets[0.06], buckets[0.1]) == (0, 1, 2, 3)


def test_vllm_s_failures_are_counted_in_streams_and_before_them() -> None:
    text = page("vllm-0.32.0").replace('reason="error",model_name="thing"} 0', 'reason="error"} 3')
    text += 'http_requests_total{handler="/v1/completions",method="POST",status="5xx"} 2\n'
    text += 'http_requests_total{handler="/v1/models",method="GET",status="5xx"} 50\n'
    text += 'http_requests_total{handler="/v1/load_lora_adapter",method="POST",status="5xx"} 50\n'
    found = read(text, vllm.MEASURES)
    assert (found.requests, found.errors) == (12, 5)


@pytest.mark.parametrize("name", RECORDED)
def test_before_the_first_request_all_is_zero(name: str) -> None:
    measures = RECORDED[name]
    (running,) = measures.running
    found = read(f"{running.name} 0\n", measures)
    assert without_histograms(found) == Reading(0, 0, 0, {}, 0, 0, 0)
    assert found.histograms == {metric: {} for metric in measures.histograms}


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("other", [*RECORDED, "nothing"])
def test_a_page_that_is_not_the_engine_s_is_refused(name: str, other: str) -> None:
    if name == other:
        return
    text = "python_info 1\n" if other == "nothing" else page(other)
    with pytest.raises(ValueError, match=RECORDED[name].prefix):
        read(text, RECORDED[name])


def test_two_engines_of_one_pod_are_summed_but_not_their_shares_of_memory() -> None:
    text = page("vllm-0.32.0")
    text = text.replace('kv_cache_usage_perc{engine="0",model_name="thing"} 0.0', "x 0")
    text += 'vllm:kv_cache_usage_perc{engine="0"} 0.5\nvllm:kv_cache_usage_perc{engine="1"} 0.75\n'
    text += 'vllm:num_requests_running{engine="1"} 3\nvllm:generation_tokens_total{engine="1"} 5\n'
    text += 'vllm:inter_token_latency_seconds_bucket{engine="1",le="+Inf"} 1\n'
    found = read(text, vllm.MEASURES)
    assert (found.cache_use, found.running, found.generated_tokens) == (0.75, 3, 50)
    assert found.histograms["InterTokenLatency"][inf] == 40


@pytest.mark.parametrize("engine", ["vLLM", "LMDeploy", "SGLang"])
def test_every_engine_offers_all_guards(engine: str) -> None:
    assert offers(engine) == set(GUARD_METRICS)


def test_what_an_engine_does_not_tell_is_not_offered() -> None:
    bare = Measures("e:", (Series("e:done"),), (), (), (), (), (), {"EndToEndLatency": Series("e")})
    assert bare.offered == {"EndToEndLatency"}


COUNT = st.integers(0, 10**6)


@given(answered=COUNT, refused=COUNT, failed=COUNT, broken=COUNT)
def test_errors_never_exceed_requests(
    answered: int, refused: int, failed: int, broken: int
) -> None:
    line = 'http_requests_total{{handler="/v1/completions",method="POST",status="{}"}} {}\n'
    text = "".join(
        line.format(status, count)
        for status, count in (("2xx", answered), ("4xx", refused), ("5xx", failed))
    )
    text += f'vllm:request_success_total{{finished_reason="error"}} {broken}\n'
    found = read(text, vllm.MEASURES)
    assert found.errors <= found.requests
    assert found.errors == failed + broken
