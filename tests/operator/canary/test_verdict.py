import random
from math import isclose

import pytest
from canary_builders import counts, error_windows, latency_windows, window
from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_operator.canary.evidence import Evidence, failed
from martlet_operator.canary.fold import fold
from martlet_operator.canary.guards import (
    Guard,
    LatencyGuard,
    Limit,
    QuantileLimit,
    ShareGuard,
    Tolerance,
    ValueGuard,
    shares,
)
from martlet_operator.canary.verdict import Verdict, progress, together, verdict
from martlet_operator.canary.windows import Arm, Window

ERRORS = ShareGuard("ErrorRate")
TTFT = LatencyGuard("TTFT", "ttft")


def told(guard: Guard, windows: list[Window]) -> Verdict:
    known = Evidence()
    for one in windows:
        known = fold(guard, known, one)
    return verdict(known, 0.005)


@pytest.mark.parametrize(
    ("canary", "stable", "windows", "expected"),
    [
        (0.01, 0.01, 400, Verdict.PASS),
        (0.0, 0.0, 120, Verdict.PASS),
        (0.10, 0.01, 60, Verdict.FAIL),
        (0.30, 0.30, 400, Verdict.PASS),  # an incident of both arms
        (0.013, 0.01, 150, Verdict.INSUFFICIENT),
        (0.01, 0.01, 25, Verdict.INSUFFICIENT),
    ],
)
def test_errors(canary: float, stable: float, windows: int, expected: Verdict) -> None:
    made = list(error_windows(random.Random(7), windows, canary, stable))
    assert told(ERRORS, made) is expected


@pytest.mark.parametrize(
    ("slower", "windows", "expected"),
    [(1.0, 400, Verdict.PASS), (2.0, 40, Verdict.FAIL), (1.3, 120, Verdict.FAIL)],
)
def test_latency(slower: float, windows: int, expected: Verdict) -> None:
    assert told(TTFT, list(latency_windows(random.Random(8), windows, slower))) is expected


def test_a_canary_that_falls_ill_late_is_caught() -> None:
    rng = random.Random(9)
    well = list(error_windows(rng, 240, 0.01, 0.01))
    ill = [window(240 + i, counts(rng.choice([0, 1, 2, 3]), 15), counts(1, 135)) for i in range(60)]
    assert told(ERRORS, well) is not Verdict.FAIL
    assert told(ERRORS, well + ill) is Verdict.FAIL


def test_one_burst_is_not_a_failure() -> None:
    calm = [window(i, counts(0, 1), counts(0, 9)) for i in range(200)]
    burst = [window(200, counts(5, 6), counts(0, 9)), window(201, counts(5, 6), counts(0, 9))]
    assert told(ERRORS, calm + burst) is not Verdict.FAIL


def test_no_data_is_not_a_failure() -> None:
    assert verdict(Evidence(), 0.005) is Verdict.NO_DATA
    alone = [window(i, Arm(), counts(1, 90)) for i in range(40)]
    assert told(ERRORS, alone) is Verdict.NO_DATA
    assert told(TTFT, alone) is Verdict.NO_DATA


def test_a_failure_stands_when_the_metrics_are_gone() -> None:
    known = Evidence()
    for one in error_windows(random.Random(7), 60, 0.1, 0.01):
        known = fold(ERRORS, known, one)
    assert verdict(failed(known, "no route to host"), 0.005) is Verdict.FAIL


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 9), st.integers(1, 9)),
        min_size=1,
        max_size=120,
    ),
    bound=st.sampled_from([Tolerance(1.5), Tolerance(1.0, 0.1), Tolerance(1.5, 0.05), Limit(0.2)]),
)
def test_pass_and_fail_are_never_both(
    steps: list[tuple[int, int, int, int]], bound: Tolerance | Limit
) -> None:
    """Each claims what the other denies: not both can be well supported by the same windows."""
    guard = ShareGuard("ErrorRate", bound)
    known = Evidence()
    for number, (x, y, calm, stable_calm) in enumerate(steps):
        made = window(number, counts(x, x + calm), counts(y, y + stable_calm))
        known = fold(guard, known, made)
        now = progress(known, 0.005)
        assert not (now.fail >= 1 and now.passing >= 1)
        assert (verdict(known, 0.005) is Verdict.FAIL) == (now.fail >= 1)


@pytest.mark.parametrize(
    ("verdicts", "gravest"),
    [
        ([], Verdict.PASS),
        ([Verdict.PASS, Verdict.PASS], Verdict.PASS),
        ([Verdict.PASS, Verdict.INSUFFICIENT], Verdict.INSUFFICIENT),
        ([Verdict.INSUFFICIENT, Verdict.NO_DATA], Verdict.NO_DATA),
        ([Verdict.PROVIDER_ERROR, Verdict.NO_DATA], Verdict.PROVIDER_ERROR),
        ([Verdict.PASS, Verdict.FAIL, Verdict.PROVIDER_ERROR], Verdict.FAIL),
    ],
)
def test_the_gravest_counts(verdicts: list[Verdict], gravest: Verdict) -> None:
    assert together(verdicts) is gravest


def test_alpha_is_shared_out() -> None:
    parts = shares([ERRORS, TTFT, LatencyGuard("E2E", "e2e")])
    assert isclose(parts["ErrorRate"], 5 * parts["TTFT"])
    assert sum(parts.values()) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="same name"):
        shares([TTFT, TTFT])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tolerance(0.9), "write 1.1 for ten percent worse"),
        (lambda: Tolerance(1.1, -1), "a margin at least 0"),
        (lambda: Tolerance(), "could never be passed"),
        (lambda: ShareGuard("E", Limit(5)), "no share between 0 and 1"),
        (lambda: LatencyGuard("L", "ttft", QuantileLimit(1, 95)), "quantile between 0 and 1"),
        (lambda: ValueGuard("V", "tps", Limit(1), spacing=0), "spacing"),
    ],
)
def test_guards_that_make_no_sense_are_refused(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]
