"""The e-variable: hand-computed likelihoods, and that no hypothesis wins more than its stake."""

from itertools import product
from math import comb, exp, isclose, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_operator.canary.betting import (
    AT_LEAST,
    AT_MOST,
    Counts,
    Line,
    Side,
    gathered,
    log_evidence,
    log_factors,
    opening,
    put_in,
    reaches,
)

EQUAL = Line(1.0, 0.0)


def test_no_data_is_worth_no_more_than_the_stake() -> None:
    assert isclose(log_evidence([opening(AT_LEAST)]), 0.0, abs_tol=1e-12)
    assert isclose(exp(log_evidence([opening(AT_MOST)])), 0.95)
    assert log_factors(EQUAL, AT_MOST, Counts(0, 0, 3, 100), 0.01) == [0.0] * 3
    assert log_factors(EQUAL, AT_MOST, Counts(3, 100, 0, 0), 0.01) == [0.0] * 3


def test_a_limit_is_a_binomial_likelihood_ratio() -> None:
    """3 of 20 against a limit of 5 %: odds of 4 and 11 times 1/19 are shares of 4/23 and 11/30."""
    found = log_factors(Line(0.0, 0.05), AT_MOST, Counts(3, 20), 0.5)
    for gain, share in zip(found, (1.5 / 20.5, 4 / 23, 11 / 30), strict=True):
        assert isclose(gain, 3 * log(share / 0.05) + 17 * log((1 - share) / 0.95), abs_tol=1e-12)


@pytest.mark.parametrize(("slope", "weight"), [(1.0, 0.1), (1.5, 0.1), (1.5, 0.5), (2.0, 0.8)])
def test_rare_events_are_a_binomial_with_odds_by_exposure(slope: float, weight: float) -> None:
    """Given the total of 9 events, 6 of them the canary's, its share is r n / (r n + k), with r the
    ratio of rates: the slope on the line, slope times the odds beyond it. The stable's share and
    the requests cancel."""
    total = 10_000_000
    n, k = weight * total, (1 - weight) * total
    found = log_factors(Line(slope, 0.0), AT_MOST, Counts(6, n, 3, k), 1e-6)

    def share(ratio: float) -> float:
        return ratio * n / (ratio * n + k)

    for gain, odds in zip(found, AT_MOST.odds, strict=True):
        c1, c0 = share(slope * odds), share(slope)
        assert isclose(gain, 6 * log(c1 / c0) + 3 * log((1 - c1) / (1 - c0)), rel_tol=2e-3)


def test_worse_gains_and_better_loses() -> None:
    worse, better = Counts(20, 100, 50, 500), Counts(3, 100, 50, 500)
    assert min(log_factors(EQUAL, AT_MOST, worse, 0.1)[:2]) > 0
    assert max(log_factors(EQUAL, AT_MOST, better, 0.1)) < 0
    assert min(log_factors(Line(1.5, 0.0), AT_LEAST, better, 0.1)[:2]) > 0
    assert max(log_factors(Line(1.5, 0.0), AT_LEAST, worse, 0.1)) < 0


def _chance(x: int, n: int, p: float) -> float:
    return comb(n, x) * p**x * (1 - p) ** (n - x)


def _expected(line: Line, side: Side, n: int, k: int, c: float, s: float, guess: float) -> float:
    """The greatest expectation of F over the alternatives, by all outcomes of a window."""
    sums = [0.0] * len(side.odds)
    for x, y in product(range(n + 1), range(k + 1)):
        chance = _chance(x, n, c) * _chance(y, k, s)
        for i, gain in enumerate(log_factors(line, side, Counts(x, n, y, k), guess)):
            sums[i] += chance * exp(gain)
    return max(sums)


SHARE = st.floats(0.0, 1.0)


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 6),
    k=st.integers(1, 9),
    s=SHARE,
    below=SHARE,
    guess=st.floats(0.0, 0.999),
    slope=st.sampled_from([0.0, 1.0, 1.5, 3.0]),
    offset=st.sampled_from([0.0, 0.005, 0.1]),
    side=st.sampled_from([AT_MOST, AT_LEAST]),
)
def test_under_the_hypothesis_a_bet_is_expected_to_win_nothing(
    n: int, k: int, s: float, below: float, guess: float, slope: float, offset: float, side: Side
) -> None:
    """Wherever c lies within the hypothesis, on its edge or inside, and whatever was guessed."""
    edge = min(1.0, slope * s + offset)
    c = edge * below if side is AT_MOST else edge + (1 - edge) * below
    if side is AT_LEAST and slope * s + offset > 1:
        return  # no canary can be that bad
    assert _expected(Line(slope, offset), side, n, k, c, s, guess) <= 1 + 1e-9


@settings(max_examples=60, deadline=None)
@given(c=st.floats(0.05, 0.95), n=st.integers(1, 6), k=st.integers(1, 9))
def test_the_edge_of_the_hypothesis_is_the_least_favourable(c: float, n: int, k: int) -> None:
    inside = _expected(EQUAL, AT_MOST, n, k, c * 0.8, c, c)
    assert inside <= _expected(EQUAL, AT_MOST, n, k, c, c, c) + 1e-12


def test_what_is_put_in_later_adds_up_to_the_rest_of_the_stake() -> None:
    assert isclose(sum(put_in(AT_MOST, window) for window in range(20_000)), 0.05, rel_tol=1e-6)
    assert put_in(AT_LEAST, 7) == 0
    assert isclose(sum(AT_MOST.weights), 1)
    assert isclose(sum(AT_LEAST.weights), 1)


def test_a_late_start_is_not_held_back_by_a_long_good_time() -> None:
    good, ill = [-2.0] * 3, [1.0] * 3
    stakes = opening(AT_MOST)
    for window in range(200):
        stakes = gathered(stakes, AT_MOST, good, put_in(AT_MOST, window))
    assert log_evidence([stakes]) > -12  # without later starts it would be -400
    for window in range(200, 220):
        stakes = gathered(stakes, AT_MOST, ill, put_in(AT_MOST, window))
    assert reaches([stakes], 0.01)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=200))
def test_rounding_only_ever_takes_and_never_much(gains: list[float]) -> None:
    stakes = opening(AT_LEAST)
    for gain in gains:
        stakes = gathered(stakes, AT_LEAST, [gain] * 3, 0.0)
    exact = opening(AT_LEAST)[0] + sum(gains)
    assert exact - 1.1e-5 * len(gains) <= stakes[0] <= exact + 1e-9


@given(st.lists(st.tuples(*[st.floats(-20, 20)] * 3), min_size=1, max_size=4), SHARE)
def test_the_short_cut_says_what_the_sum_says(
    processes: list[tuple[float, ...]], level: float
) -> None:
    level = max(level, 1e-6)
    assert reaches(processes, level) == (log_evidence(processes) >= -log(level))
