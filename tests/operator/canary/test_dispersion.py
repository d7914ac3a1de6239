"""The factor by which events vary more than if they came alone."""

from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.canary.dispersion import Dispersion, observed


def after(windows: list[tuple[float, float]], seconds: float = 15.0) -> Dispersion:
    """(events, requests) of each window."""
    known = Dispersion()
    for events, requests in windows:
        known = observed(known, events, requests, seconds)
    return known


COUNT = st.integers(0, 50)


@given(st.lists(st.tuples(COUNT, COUNT).map(lambda pair: (min(pair), max(pair))), max_size=60))
def test_phi_is_never_below_one(windows: list[tuple[float, float]]) -> None:
    assert after(windows).phi >= 1


@pytest.mark.parametrize(("together", "n", "k"), [(1, 5, 9), (2, 5, 5), (4, 8, 3), (7, 10, 30)])
def test_a_pair_is_expected_to_show_one(together: int, n: int, k: int) -> None:
    """By all splits of the events over both windows, with their hypergeometric chances."""
    total = 0.0
    for events in range(max(0, together - n), min(k, together) + 1):
        chance = comb(k, events) * comb(n, together - events) / comb(n + k, together)
        fine = after([(together - events, n), (events, k)]).fine
        total += chance * fine.sum / fine.weight
    assert isclose(total, 1, abs_tol=1e-3)


def test_events_that_come_alone_show_one() -> None:
    assert after([(1, 100), (0, 100)] * 100).phi == 1


def test_bursts_of_five_show_five() -> None:
    assert 4 < after([(0, 100)] * 3 + [(5, 100), *[(0, 100)] * 6] * 60).phi < 6


def test_bursts_that_last_a_minute_are_seen_by_the_minute() -> None:
    wave = [(30, 100)] * 12 + [(10, 100)] * 12
    known = after(wave * 20, seconds=5)
    assert known.fine.sum / known.fine.weight < 2
    assert known.phi > 5


def test_a_slow_change_of_the_rate_is_no_dispersion() -> None:
    slow = [(round(4 + 30 * hour / 500), 100) for hour in range(500)]
    assert after([(y + (-1) ** i, n) for i, (y, n) in enumerate(slow)]).phi < 1.1


def test_a_shared_incident_is_forgotten() -> None:
    calm = [(1, 200), (0, 200), (2, 200), (1, 200)]
    known = after(calm * 30 + [(40, 200)] * 20 + calm * 30)
    assert known.phi < 1.5


def test_windows_without_requests_show_nothing() -> None:
    assert after([(0, 0)] * 9) == Dispersion()
    assert after([(0, 50)] * 9).known == 0
