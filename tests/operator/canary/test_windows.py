"""From readings to windows: restarts, pods that come and go, scrapes that fail or come twice."""

from math import inf

import pytest

from martlet_operator.canary.windows import (
    PATIENCE,
    Arm,
    Pod,
    Reading,
    Readings,
    Window,
    advance,
    increase,
)


def pod(requests: float, errors: float = 0.0) -> Pod:
    return {"requests": requests, "errors": errors}


def slow(fast: float, every: float) -> Pod:
    return {"ttft": {0.5: fast, inf: every}}


def reading(time: float, missing: set[str] | None = None, **pods: Pod) -> Reading:
    return Reading(time, pods, frozenset(missing or ()))


def both(time: float, canary: float, stable: float, **late: float) -> Readings:
    return Readings(
        reading(time, c=pod(canary)), reading(time + late.get("late", 0), s=pod(stable))
    )


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ({"a": pod(10, 1)}, {"a": pod(15, 3)}, pod(5, 2)),
        ({"a": pod(10), "b": pod(5)}, {"a": pod(15), "b": pod(7)}, pod(7)),
        ({"a": pod(10, 4)}, {"a": pod(3, 1)}, pod(3, 1)),  # restarted
        ({"a": pod(10, 4)}, {"a": pod(90, 1)}, pod(90, 1)),  # restarted, though busy since
        ({"a": pod(10)}, {"a": pod(15), "new": pod(99)}, pod(5)),
        ({"a": pod(10), "gone": pod(99)}, {"a": pod(15)}, pod(5)),
        ({"a": pod(10)}, {"b": pod(15)}, {}),
        ({"a": {"requests": 10.0}}, {"a": pod(12, 1)}, pod(2, 1)),  # the first error
    ],
)
def test_counts_between_two_readings(
    before: dict[str, Pod], after: dict[str, Pod], counts: Pod
) -> None:
    assert increase(Reading(0, before), Reading(15, after)) == Arm(dict(counts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        ({"a": slow(5, 9)}, {"a": slow(7, 12)}, {0.5: 2, inf: 3}),
        ({"a": slow(5, 9)}, {"a": slow(1, 2)}, {0.5: 1, inf: 2}),
        ({"a": slow(5, 9)}, {"a": {"ttft": {0.4: 1, 1.0: 3, inf: 4}}}, {0.4: 1, 1.0: 3, inf: 4}),
        (
            {"a": slow(5, 9), "b": {"ttft": {0.5: 1, 1.0: 2, inf: 3}}},
            {"a": slow(7, 12), "b": {"ttft": {0.5: 4, 1.0: 5, inf: 6}}},
            {0.5: 5, inf: 6},
        ),
    ],
)
def test_histograms_between_two_readings(
    before: dict[str, Pod], after: dict[str, Pod], grown: dict[float, float]
) -> None:
    assert increase(Reading(0, before), Reading(15, after)).histograms == {"ttft": grown}


def test_a_restart_of_one_series_is_one_of_the_process() -> None:
    before, after = {**pod(50), **slow(30, 50)}, {**pod(60), **slow(7, 8)}
    arm = increase(Reading(0, {"a": before}), Reading(15, {"a": after}))
    assert arm == Arm({"requests": 60, "errors": 0}, {"ttft": {0.5: 7, inf: 8}})


def test_two_readings_make_a_window() -> None:
    window, base = advance(None, both(100, 10, 90))
    assert window is None
    window, base = advance(base, both(115, 12, 108))
    assert window == Window(
        100, 115, Arm({"requests": 2, "errors": 0}), Arm({"requests": 18, "errors": 0})
    )
    assert base == both(115, 12, 108)


def test_a_reading_that_arrives_twice_closes_nothing() -> None:
    base = both(100, 10, 90)
    assert advance(base, both(100, 10, 90)) == (None, base)
    assert advance(base, both(85, 9, 80)) == (None, base)


def test_readings_at_different_times_are_not_compared() -> None:
    base = both(100, 10, 90)
    assert advance(base, both(115, 12, 108, late=3)) == (None, base)
    assert advance(None, both(115, 12, 108, late=3)) == (None, None)
    window, _ = advance(base, both(130, 14, 126))
    assert window is not None
    assert window.canary.counts["requests"] == 4


def test_a_failed_scrape_keeps_the_window_open_for_both() -> None:
    base = both(100, 10, 90)
    lost = Readings(reading(115, missing={"c"}), reading(115, s=pod(108)))
    assert advance(base, lost) == (None, base)
    window, _ = advance(base, both(130, 14, 126))
    assert window is not None
    assert (window.seconds, window.canary.counts["requests"]) == (30, 4)
    assert window.stable.counts["requests"] == 36


def test_patience_ends_and_what_was_missed_is_never_counted() -> None:
    base = Readings(reading(0, c=pod(10), d=pod(10)), reading(0, s=pod(90)))
    late = Readings(reading(PATIENCE, missing={"d"}, c=pod(20)), reading(PATIENCE, s=pod(180)))
    window, base_after = advance(base, late)
    assert window is not None
    assert window.canary.counts["requests"] == 10
    back = Readings(reading(75, c=pod(22), d=pod(70)), reading(75, s=pod(190)))
    window, _ = advance(base_after, back)
    assert window is not None
    assert window.canary.counts["requests"] == 2


def test_the_stable_revision_can_be_watched_alone() -> None:
    window = Window(0, 15, Arm({"requests": 3}), Arm({"requests": 30}))
    assert window.stable_alone == Window(0, 15, Arm(), Arm({"requests": 30}))
