"""Guards from the spec to a verdict, and their evidence through the status."""

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest

from martlet_api.canary import Canary, CanaryStep, Guard
from martlet_api.inferenceservice import GuardEvidence
from martlet_api.probe import Expectation, Probe
from martlet_operator.canary.guards import (
    LatencyGuard,
    QuantileLimit,
    ShareGuard,
    Tolerance,
    ValueGuard,
)
from martlet_operator.canary.windows import Arm, Window
from martlet_operator.engines.known import offers
from martlet_operator.inferenceservice.rollout.guarding import (
    Judged,
    Watched,
    guards_of,
    judged,
    problem,
)
from martlet_operator.inferenceservice.rollout.state import Rollout

START = datetime(2026, 1, 2, tzinfo=UTC)
ERRORS = Guard(metric="ErrorRate", tolerance=1.5, margin=0.005)
SECONDS = 10.0


def canary(*guards: Guard, probe: Probe | None = None) -> Canary:
    steps = [CanaryStep(weight=10)]
    return Canary(steps=steps, guards=list(guards), warm_up="1m", probe=probe)


def rollout(**parts: Any) -> Rollout:
    told = {"state": "Stepping", "weight": 10, "since": START, "exposed_at": START, **parts}
    return Rollout("new", "d", "old", START, **told)


def arm(requests: float, errors: float = 0) -> Arm:
    return Arm({"requests": requests, "errors": errors})


def window(number: int, own: Arm, other: Arm) -> Window:
    start = START.timestamp() + SECONDS * number
    return Window(start, start + SECONDS, own, other)


def watch(
    spec: Canary, of: Rollout, windows: list[Window], former: list[GuardEvidence] | None = None
) -> Judged:
    found = Judged(former or [], {}, 0)
    for each in windows:
        evidence = [GuardEvidence.model_validate(e.to_dict()) for e in found.evidence]
        found = judged(spec, of, evidence, Watched(each))
    return found


def traffic(count: int, errors: float, stable_errors: float) -> list[Window]:
    return [window(n, arm(50, errors), arm(450, stable_errors)) for n in range(count)]


def test_how_the_spec_is_read() -> None:
    spec = canary(
        ERRORS,
        Guard(metric="TimeToFirstToken", tolerance=1.25, slo=2, quantile=0.99, critical=True),
        Guard(metric="EndToEndLatency", slo=10),
        Guard(metric="Throughput", tolerance=1.1),
        Guard(metric="PromQL", name="csat", query="up", tolerance=1.05),
    )
    assert [(g.name, type(g), g.bound, g.critical) for g in guards_of(spec)] == [
        ("ErrorRate", ShareGuard, Tolerance(1.5, 0.005), False),
        ("TimeToFirstToken", LatencyGuard, Tolerance(1.25), True),
        ("TimeToFirstToken slo", LatencyGuard, QuantileLimit(2, 0.99), True),
        ("EndToEndLatency", LatencyGuard, QuantileLimit(10, 0.95), False),
        ("Throughput", ValueGuard, Tolerance(1.1), False),
        ("csat", ValueGuard, Tolerance(1.05), False),
    ]


def test_more_errors_than_the_stable_one() -> None:
    found = watch(canary(ERRORS), rollout(), traffic(30, 5, 2))
    verdict, text = found.verdicts["ErrorRate"]
    assert verdict == "Fail"
    assert text == (
        "ErrorRate: 10 % (120 of 1200 requests), "
        "the stable revision's 0.44 % (48 of 10800 requests)."
    )
    (told,) = found.evidence
    assert (told.verdict, told.canary, told.stable) == ("Fail", "120/1200", "48/10800")
    assert told.to_fail >= 1 > told.to_pass


def test_as_many_errors_pass_once_there_are_enough_requests() -> None:
    assert watch(canary(ERRORS), rollout(), traffic(9, 0, 1)).verdicts["ErrorRate"][0] in (
        "Insufficient",
        "NoData",
    )
    assert watch(canary(ERRORS), rollout(), traffic(200, 0, 1)).verdicts["ErrorRate"][0] == "Pass"


@pytest.mark.parametrize(
    ("of", "answered"),
    [
        (rollout(), 50),
        (rollout(since=None), 0),
        (rollout(exposed_at=None), 0),
        (rollout(since=START + timedelta(seconds=65)), 0),
        (rollout(exposed_at=START + timedelta(seconds=30)), 0),
    ],
)
def test_only_what_came_under_the_weights_and_warm_counts(of: Rollout, answered: int) -> None:
    """The window is from 60 s to 70 s after the start."""
    found = watch(canary(ERRORS), of, [window(6, arm(50), arm(450))])
    assert found.requests == answered


PROBE = Probe.model_validate(
    {"prompts": [{"messages": [{"role": "user", "content": "?"}], "expect": {"regex": "barn"}}]}
)
QUALITY = Guard(metric="Quality", tolerance=1.5, margin=0.1)


def probed(wrong: float, stable_wrong: float, count: int) -> list[Window]:
    """Two prompts to each in ten seconds; requests of users fail in neither."""
    return [
        window(
            n,
            Arm({**arm(5).counts, "probes": 2, "wrong answers": wrong}),
            Arm({**arm(45).counts, "probes": 2, "wrong answers": stable_wrong}),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("wrong", "stable_wrong", "verdict"), [(2, 0, "Fail"), (0, 0, "Pass"), (2, 2, "Insufficient")]
)
def test_a_canary_that_answers_fast_and_wrong(
    wrong: float, stable_wrong: float, verdict: str
) -> None:
    """What both answer wrong is not held against it."""
    found = watch(canary(QUALITY, probe=PROBE), rollout(), probed(wrong, stable_wrong, 60))
    assert found.verdicts["Quality"][0] == verdict
    if verdict == "Fail":
        assert found.verdicts["Quality"][1].startswith("Quality: 100 % (")


def test_a_pattern_that_is_none_is_a_problem_of_the_spec() -> None:
    prompt = PROBE.prompts[0].model_copy(update={"expect": Expectation(regex="(")})
    spec = canary(QUALITY, probe=PROBE.model_copy(update={"prompts": [prompt]}))
    said = problem(spec, "vLLM", ["ErrorRate"], "")
    assert said is not None
    assert "prompts[0].expect.regex" in said
    assert problem(canary(QUALITY, probe=PROBE), "vLLM", ["ErrorRate"], "") is None


def test_latencies_are_judged_at_edges_of_the_histogram() -> None:
    def slow(count: float, over: float) -> Arm:
        cumulative = {0.1: count * 0.2, 0.25: count - over, 1.0: count, inf: count}
        return Arm({"requests": count, "errors": 0}, {"TimeToFirstToken": cumulative})

    spec = canary(Guard(metric="TimeToFirstToken", tolerance=1.25))
    windows = [window(n, slow(50, 30), slow(450, 45)) for n in range(40)]
    verdict, text = watch(spec, rollout(), windows).verdicts["TimeToFirstToken"]
    assert verdict == "Fail"
    assert text.startswith("TimeToFirstToken over 0.25 s: 60 % ")


def test_what_cannot_be_asked_is_an_error_of_the_provider() -> None:
    spec = canary(Guard(metric="PromQL", name="csat", query="up", tolerance=1.05))
    watched = Watched(window(6, arm(50), arm(450)), {"csat": "the query gives 2 series"})
    found = judged(spec, rollout(), [], watched)
    assert found.verdicts["csat"] == (
        "ProviderError",
        "csat cannot be read: the query gives 2 series",
    )


def test_without_a_window_what_is_known_stays() -> None:
    spec = canary(ERRORS)
    known = watch(spec, rollout(), traffic(30, 5, 2))
    again = judged(spec, rollout(), known.evidence, Watched())
    assert again.evidence == known.evidence
    assert again.verdicts == known.verdicts
    assert again.requests == 0


def test_a_restart_changes_nothing() -> None:
    windows = traffic(30, 3, 5)
    spec = canary(ERRORS)
    at_once = watch(spec, rollout(), windows)
    first = watch(spec, rollout(), windows[:13])
    assert watch(spec, rollout(), windows[13:], first.evidence) == at_once
    twice = watch(spec, rollout(), [*windows[:20], *windows[10:]])
    assert twice.evidence == at_once.evidence, "a window is counted once"


def test_evidence_is_small() -> None:
    found = watch(canary(ERRORS), rollout(), traffic(200, 1, 9))
    assert len(found.evidence[0].state) < 1500


CSAT = Guard(metric="PromQL", name="csat", query="up", tolerance=1.05)


def test_guards_that_could_never_be_judged() -> None:
    everything = canary(ERRORS, Guard(metric="InterTokenLatency", tolerance=1.2), CSAT)
    assert problem(everything, "vLLM", offers("vLLM"), "http://prometheus") is None
    wrong = problem(canary(CSAT), "vLLM", offers("vLLM"), "")
    assert wrong is not None
    assert "prometheus.url" in wrong
    assert problem(canary(ERRORS), "Other", {"Throughput"}, "") == (
        "Other does not tell enough for guard ErrorRate; it does for Throughput."
    )
    assert problem(None, "vLLM", set(), "") is None
