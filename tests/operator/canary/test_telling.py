import random

from canary_builders import counts, latency_windows, value_windows, window

from martlet_operator.canary.evidence import Evidence, failed
from martlet_operator.canary.fold import fold
from martlet_operator.canary.guards import Guard, LatencyGuard, Limit, ShareGuard, ValueGuard
from martlet_operator.canary.telling import sentence
from martlet_operator.canary.windows import Window


def told(guard: Guard, windows: list[Window]) -> str:
    known = Evidence()
    for one in windows:
        known = fold(guard, known, one)
    return sentence(guard, known)


def test_errors_are_counted_beside_the_stable_revisions() -> None:
    windows = [window(i, counts(i % 2, 10), counts(1, 90)) for i in range(21)]
    said = told(ShareGuard("ErrorRate"), windows)
    assert said == (
        "ErrorRate: 5 % (10 of 200 requests), the stable revision's 1.1 % (20 of 1800 requests)."
    )


def test_the_worst_edge_is_told() -> None:
    said = told(LatencyGuard("TTFT", "ttft"), list(latency_windows(random.Random(1), 40, 1.5)))
    assert said.startswith("TTFT over 0.25 s: 82 % (246 of 300 requests), the stable")


def test_a_limit_has_no_other_arm() -> None:
    windows = [window(i, counts(1, 10), counts(1, 90)) for i in range(3)]
    said = told(ShareGuard("ErrorRate", Limit(0.05)), windows)
    assert said == "ErrorRate: 10 % (3 of 30 requests)."


def test_values_are_told_by_windows() -> None:
    guard = ValueGuard("KV", "tps", Limit(5.0))
    assert told(guard, list(value_windows([4, 6, 7, 8], [1] * 4))) == (
        "KV: beyond its bound in 3 of 4 windows."
    )


def test_what_cannot_be_read_is_told() -> None:
    guard = ShareGuard("ErrorRate")
    assert sentence(guard, Evidence()) == "ErrorRate: nothing to compare yet."
    assert sentence(guard, failed(Evidence(), "timed out")) == (
        "ErrorRate cannot be read: timed out"
    )
