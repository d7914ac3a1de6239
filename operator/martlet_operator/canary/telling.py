"""What a guard saw, in one sentence for a condition's message."""

from martlet_operator.canary.betting import AT_MOST, log_evidence
from martlet_operator.canary.evidence import Evidence
from martlet_operator.canary.guards import SIDES, Guard, LatencyGuard, Tolerance, ValueGuard
from martlet_operator.canary.track import Track


def sentence(guard: Guard, evidence: Evidence) -> str:
    """Of a latency, the edge at which the canary looks worst."""
    if evidence.error:
        return f"{guard.name} cannot be read: {evidence.error}"
    track = worst(evidence)
    if track is None:
        return f"{guard.name}: nothing to compare yet."
    (x, y), (n, k) = track.events, track.requests
    if isinstance(guard, ValueGuard):
        return f"{guard.name}: beyond its bound in {x:.0f} of {n:.0f} windows."
    what = f"{guard.name} over {track.edge:g} s" if isinstance(guard, LatencyGuard) else guard.name
    beside = f", the stable revision's {_share(y, k)}"
    return f"{what}: {_share(x, n)}{beside if isinstance(guard.bound, Tolerance) else ''}."


def worst(evidence: Evidence) -> Track | None:
    """Where the canary looks worst, of a latency's edges; None before anything was counted."""
    counted = [track for track in evidence.tracks if track.windows]
    return max(counted, key=_badness, default=None)


def _badness(track: Track) -> float:
    return log_evidence([s for claim, s in track.stakes.items() if SIDES[claim] is AT_MOST])


def _share(events: float, requests: float) -> str:
    part = 100 * events / requests if requests else 0.0
    rounded = f"{part:.0f}" if part >= 10 else f"{part:.2g}"
    return f"{rounded} % ({events:.0f} of {requests:.0f} requests)"
