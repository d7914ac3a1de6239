from math import inf, isclose, log
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.canary.edges import added, chosen, slower, tolerated

STABLE = {0.1: 100, 0.25: 400, 0.5: 700, 1.0: 920, 2.5: 980, inf: 1000}


def test_slower_is_the_rest() -> None:
    assert slower(STABLE, 0.5) == 300
    assert added({1.0: 3, 2.0: 5, inf: 9}, {1.0: 1, inf: 4}) == {1.0: 4, inf: 13}


def test_edges_that_tell_much_are_chosen() -> None:
    """90, 60, 30, 8 and 2 % were slower."""
    assert chosen(STABLE, STABLE) == (0.25, 0.5, 1.0)
    assert chosen(STABLE, {0.25, 1.0, inf}) == (0.25, 1.0)


def test_many_edges_are_thinned_evenly() -> None:
    fine = {float(edge): 100 * edge for edge in range(1, 11)} | {inf: 1000}
    assert chosen(fine, fine) == (3.0, 6.0, 9.0)


def test_coarse_buckets_still_have_an_edge() -> None:
    assert chosen({1.0: 0, 5.0: 1000, inf: 1000}, {1.0, 5.0}) == (5.0,)
    assert chosen({1.0: 0, inf: 1000}, {1.0}) == (1.0,)
    assert chosen({inf: 10}, {inf}) == ()


def test_a_tolerance_lets_the_next_faster_requests_be_slow() -> None:
    """At 0.25 and 0.5 s lie the normal quantiles -0.2533 and 0.5244 (40 and 70 % were faster). At
    0.5 / 1.1 s it is 0.5244 - 0.7777 log 1.1 / log 2 = 0.4175, which 33.8 % are beyond."""
    assert isclose(tolerated(STABLE, 0.5, 1.1, 0.0), 0.338 - 0.3, abs_tol=2e-4)
    assert isclose(tolerated(STABLE, 0.5, 1.0, 0.25), 0.3, abs_tol=1e-4)
    assert isclose(tolerated(STABLE, 0.5, 1.0, 9.0), 0.7, abs_tol=1e-4)


@pytest.mark.parametrize("edge", [0.1, 0.25, 0.5, 0.75, 1.0])
def test_of_log_normal_times_it_is_exact(edge: float) -> None:
    def faster(seconds: float) -> float:
        return NormalDist().cdf(log(seconds / 0.3) / 0.6)

    times = {e: 1e6 * faster(e) for e in (0.1, 0.25, 0.5, 0.75, 1.0, 2.5)} | {inf: 1e6}
    truth = max(0.005, faster(edge) - faster(edge / 1.2))
    assert isclose(tolerated(times, edge, 1.2, 0.0), truth, abs_tol=1e-4)


@given(st.floats(1, 5), st.floats(0, 3), st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.5]))
def test_more_tolerance_allows_more(relative: float, margin: float, edge: float) -> None:
    assert tolerated(STABLE, edge, 1.0, 0.0) == 0.005
    assert 0.005 <= tolerated(STABLE, edge, relative, margin) <= 1
    assert tolerated(STABLE, edge, relative, margin) <= tolerated(
        STABLE, edge, relative + 1, margin
    )
