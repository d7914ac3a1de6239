"""A share's evidence: what a window may add to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.canary.betting import Counts, Line
from martlet_operator.canary.guards import Claim
from martlet_operator.canary.track import bet, opened

EQUAL, LIMIT = Line(1.0, 0.0), Line(0.0, 0.01)
HEALTHY = (10.0, 2_000.0)
"""Events and requests of the stable revision until now."""


def _gains(claim: Claim, line: Line, seen: Counts, edge: float = 0.0) -> list[float]:
    """What a window adds to the log stake of each alternative."""
    track = opened({claim: line}, edge, recent=HEALTHY)
    after = bet(track, {claim: line}, {claim: seen})
    return [new - old for new, old in zip(after[claim], track.stakes[claim], strict=True)]


def _failing(stable_errors: float) -> Counts:
    return Counts(3, 3, stable_errors, 27)


def test_in_an_incident_of_both_arms_a_window_adds_little() -> None:
    assert max(_gains(Claim.WORSE, EQUAL, _failing(stable_errors=0))) > 2.1
    assert max(_gains(Claim.WORSE, EQUAL, _failing(stable_errors=1))) > 2.1
    assert max(_gains(Claim.WORSE, EQUAL, _failing(stable_errors=5))) < 0.3


@pytest.mark.parametrize(
    ("claim", "line", "edge"),
    [(Claim.OVER_LIMIT, LIMIT, 0.0), (Claim.WORSE, EQUAL, 0.5)],
    ids=["a limit minds the canary alone", "latencies move with the day"],
)
def test_what_an_incident_does_not_temper(claim: Claim, line: Line, edge: float) -> None:
    assert max(_gains(claim, line, _failing(stable_errors=5), edge)) > 2


def test_a_canary_that_an_incident_spares_is_shown_to_be_well() -> None:
    seen = Counts(0, 100, 50, 900)
    assert max(_gains(Claim.WITHIN_TOLERANCE, Line(1.5, 0.0), seen)) > 2


@given(st.integers(0, 27))
def test_an_incident_takes_from_no_loss(stable_errors: int) -> None:
    seen = Counts(0, 3, stable_errors, 27)
    gains = _gains(Claim.WORSE, EQUAL, seen)
    assert max(gains) < 0.01
    assert gains == _gains(Claim.WORSE, EQUAL, seen, edge=0.5), "an edge's are not tempered"
