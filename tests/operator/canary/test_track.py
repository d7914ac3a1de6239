"""A share's evidence: what a window may add to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.canary.betting import Counts, Line
from martlet_operator.canary.guards import Claim
from martlet_operator.canary.track import Track, bet, opened

EQUAL, LIMIT = Line(1.0, 0.0), Line(0.0, 0.01)
HEALTHY = (10.0, 2_000.0)
"""Events and requests of the stable revision until now."""


def _gained(claim: Claim, line: Line, stable_errors: float, edge: float = 0.0) -> float:
    track = opened({claim: line}, edge, recent=HEALTHY)
    seen = Counts(3, 3, stable_errors, 27)
    return max(_gains(track, bet(track, {claim: line}, {claim: seen}), claim))


def _gains(track: Track, after: dict[str, tuple[float, ...]], claim: Claim) -> list[float]:
    return [new - old for new, old in zip(after[claim], track.stakes[claim], strict=True)]


def test_in_an_incident_of_both_arms_a_window_adds_little() -> None:
    assert _gained(Claim.WORSE, EQUAL, stable_errors=0) > 2.1
    assert _gained(Claim.WORSE, EQUAL, stable_errors=1) > 2.1
    assert _gained(Claim.WORSE, EQUAL, stable_errors=5) < 0.3


@pytest.mark.parametrize(
    ("claim", "line", "edge"),
    [(Claim.OVER_LIMIT, LIMIT, 0.0), (Claim.WORSE, EQUAL, 0.5)],
    ids=["a limit minds the canary alone", "latencies move with the day"],
)
def test_what_an_incident_does_not_temper(claim: Claim, line: Line, edge: float) -> None:
    assert _gained(claim, line, stable_errors=5, edge=edge) > 2


def test_a_canary_that_an_incident_spares_is_shown_to_be_well() -> None:
    lines = {Claim.WITHIN_TOLERANCE: Line(1.5, 0.0)}
    track = opened(lines, recent=HEALTHY)
    after = bet(track, lines, {Claim.WITHIN_TOLERANCE: Counts(0, 100, 50, 900)})
    assert max(_gains(track, after, Claim.WITHIN_TOLERANCE)) > 2


@given(st.integers(0, 27))
def test_an_incident_takes_from_no_loss(stable_errors: int) -> None:
    track = opened({Claim.WORSE: EQUAL}, recent=HEALTHY)
    seen = Counts(0, 3, stable_errors, 27)
    gains = _gains(track, bet(track, {Claim.WORSE: EQUAL}, {Claim.WORSE: seen}), Claim.WORSE)
    assert max(gains) < 0.01
