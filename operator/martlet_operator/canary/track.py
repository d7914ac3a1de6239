"""One share's evidence, window by window: of errors, or of requests slower than an edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from martlet_operator.canary import betting
from martlet_operator.canary.betting import Counts, Line
from martlet_operator.canary.dispersion import Dispersion, observed
from martlet_operator.canary.guards import SIDES

Stakes = dict[str, tuple[float, ...]]
"""By claim, the log stake of each alternative."""

_MEMORY = 20_000.0
"""Requests of the stable revision that its expected share is taken from."""
_FIRST = 50.0
"""Requests of the stable revision before which nothing is bet beside it."""
_CEILING = 2.2
"""The most that one window adds to log evidence, about 40 % of what a rollback needs: a burst does
not decide alone, nor do two. (phi is a mean: single bursts may be much greater.)"""
_HIGHER_CEILING = 4.0
"""The same, where the stable revision has shown that events come alone: two windows can decide."""
_SHOWN = 100.0
"""By how many events it has shown that, if phi is 1; not at all if it is 1.5."""


@dataclass(frozen=True, slots=True)
class Track:
    """What gathers for one share.

    ``edge`` is a latency's, in seconds, and ``allowed`` its tolerance there, in shares; ``events``
    and ``requests`` are the canary's and the stable's in the ``windows`` that were bet on;
    ``recent`` are events and requests of the stable's that its share is expected from.
    """

    edge: float = 0.0
    allowed: float = 0.0
    windows: int = 0
    events: tuple[float, float] = (0.0, 0.0)
    requests: tuple[float, float] = (0.0, 0.0)
    recent: tuple[float, float] = (0.0, 0.0)
    dispersion: Dispersion = field(default_factory=Dispersion)
    stakes: Stakes = field(default_factory=dict)


def opened(
    lines: Mapping[str, Line],
    edge: float = 0.0,
    allowed: float = 0.0,
    recent: tuple[float, float] = (0.0, 0.0),
) -> Track:
    """Before any bet. ``lines`` by claim."""
    stakes = {claim: betting.opening(SIDES[claim]) for claim in lines}
    return Track(edge, allowed, recent=recent, stakes=stakes)


def counted(track: Track, lines: Mapping[str, Line], seen: Counts, seconds: float) -> Track:
    """With a window. The bet is made by what was known before; then the stable's part is learnt."""
    stakes, windows = track.stakes, track.windows
    (x, y), (n, k) = track.events, track.requests
    if _tells(track, lines, seen):
        stakes, windows = bet(track, lines, dict.fromkeys(lines, seen)), windows + 1
        x, y = x + seen.events, y + seen.stable_events
        n, k = n + seen.requests, k + seen.stable_requests
    return Track(
        track.edge,
        track.allowed,
        windows,
        (x, y),
        (n, k),
        _remembered(track.recent, seen),
        observed(track.dispersion, seen.stable_events, seen.stable_requests, seconds),
        stakes,
    )


def _tells(track: Track, lines: Mapping[str, Line], seen: Counts) -> bool:
    """Whether there are requests to bet on, and, where the stable's count, an idea of its share."""
    if seen.requests <= 0:
        return False
    alone = all(line.slope == 0 for line in lines.values())
    return alone or (seen.stable_requests > 0 and track.recent[1] >= _FIRST)


def bet(track: Track, lines: Mapping[str, Line], seen: Mapping[str, Counts]) -> Stakes:
    """The stakes after a window, by claim."""
    phi = track.dispersion.phi
    ceiling = _ceiling(phi, track.dispersion.known)
    expected = (track.recent[0] + 0.5) / (track.recent[1] + 1)
    stakes = {}
    for claim, line in lines.items():
        side = SIDES[claim]
        factors = betting.log_factors(line, side, seen[claim], expected)
        most = ceiling
        if side is betting.AT_MOST and line.slope > 0 and not track.edge:
            most /= _surge(seen[claim], expected, phi)
        tempered = [min(factor / phi, most) for factor in factors]
        later = betting.put_in(side, track.windows)
        stakes[claim] = betting.gathered(track.stakes[claim], side, tempered, later)
    return stakes


def _ceiling(phi: float, known: float) -> float:
    alone = max(0.0, 3 - 2 * phi) * min(1.0, known / _SHOWN)
    return _CEILING + (_HIGHER_CEILING - _CEILING) * alone


def _surge(seen: Counts, expected: float, phi: float) -> float:
    """By how much the stable revision's own errors are beyond what it has shown: a squared number
    of deviations over ``phi``, 1 at least.

    Then both arms are in an incident, and which of them is hit more is chance above all: gains
    against the canary become less, and nothing else, so the evidence stays valid. Not for
    latencies: the day's load moves them for hours, and what is expected of them follows slowly.
    """
    usual = seen.stable_requests * expected
    beyond = max(0.0, seen.stable_events - usual - 1)
    return max(1.0, beyond * beyond / (usual + 1) / phi)


def _remembered(recent: tuple[float, float], seen: Counts) -> tuple[float, float]:
    events, requests = recent[0] + seen.stable_events, recent[1] + seen.stable_requests
    if requests <= _MEMORY:
        return events, requests
    return round(events * _MEMORY / requests, 3), _MEMORY
