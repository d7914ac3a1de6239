"""What one window says to each kind of guard. Pure; a window is counted once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf

from martlet_operator.canary import edges
from martlet_operator.canary.betting import Counts
from martlet_operator.canary.edges import Histogram
from martlet_operator.canary.evidence import Evidence, Waiting
from martlet_operator.canary.guards import (
    Claim,
    Direction,
    Guard,
    LatencyGuard,
    Limit,
    QuantileLimit,
    ShareGuard,
    ValueGuard,
    claims,
)
from martlet_operator.canary.track import Track, bet, counted, opened
from martlet_operator.canary.windows import Window


def fold(guard: Guard, evidence: Evidence, window: Window) -> Evidence:
    """With one more window. One that begins before the last one's end was counted already.

    A window in which the canary had no requests teaches how the stable revision varies: fold those
    from before the canary's first, and from its first minutes (``Window.stable_alone``).
    """
    if window.start < evidence.until - 1e-6 or window.end <= window.start:
        return evidence
    if isinstance(guard, ShareGuard):
        return _share(guard, evidence, window)
    if isinstance(guard, LatencyGuard):
        return _latency(guard, evidence, window)
    return _value(guard, evidence, window)


def _share(guard: ShareGuard, evidence: Evidence, window: Window) -> Evidence:
    canary, stable = window.canary.counts, window.stable.counts
    seen = Counts(
        canary.get(guard.events, 0.0),
        canary.get(guard.requests, 0.0),
        stable.get(guard.events, 0.0),
        stable.get(guard.requests, 0.0),
    )
    lines = claims(guard)
    track = evidence.tracks[0] if evidence.tracks else opened(lines)
    return Evidence(window.end, (counted(track, lines, seen, window.seconds),))


def _latency(guard: LatencyGuard, evidence: Evidence, window: Window) -> Evidence:
    canary = window.canary.histograms.get(guard.histogram, {})
    stable = window.stable.histograms.get(guard.histogram, {})
    tracks, known = evidence.tracks, _histogram(evidence.waiting)
    if canary and any(track.edge not in canary for track in tracks):
        tracks, known = (), {}  # other buckets: only edges that both have can be compared
    if not tracks:
        chosen = _chosen(guard, known, canary or known)
        tracks = tuple(_opened(guard, known, edge) for edge in chosen)
    if not tracks:
        return _waited(guard, known, stable, window.end)
    folded = tuple(
        counted(
            track,
            claims(guard, track.allowed),
            _at(track.edge, canary, stable),
            window.seconds,
        )
        for track in tracks
    )
    return Evidence(window.end, folded)


def _at(edge: float, canary: Histogram, stable: Histogram) -> Counts:
    """An arm without the edge has no requests: it was not read, or has other buckets."""
    own = (edges.slower(canary, edge), canary[inf]) if edge in canary else (0.0, 0.0)
    other = (edges.slower(stable, edge), stable[inf]) if edge in stable else (0.0, 0.0)
    return Counts(*own, *other)


def _chosen(guard: LatencyGuard, stable: Histogram, allowed: Iterable[float]) -> tuple[float, ...]:
    """By the stable revision's requests before this window; of the canary only its list of edges.

    A limit is judged at the first edge at or above it: below, a histogram cannot tell.
    """
    bound = guard.bound
    if isinstance(bound, QuantileLimit):
        return tuple(sorted(edge for edge in allowed if bound.seconds <= edge < inf)[:1])
    return edges.chosen(stable, allowed) if stable.get(inf, 0.0) >= edges.ENOUGH else ()


def _opened(guard: LatencyGuard, stable: Histogram, edge: float) -> Track:
    bound = guard.bound
    if isinstance(bound, QuantileLimit):
        return opened(claims(guard), edge)
    allowed = edges.tolerated(stable, edge, bound.relative, bound.margin)
    recent = (edges.slower(stable, edge), stable[inf])
    return opened(claims(guard, allowed), edge, allowed, recent)


def _waited(guard: LatencyGuard, known: Histogram, stable: Histogram, until: float) -> Evidence:
    total = edges.added(known, stable) if known.keys() & stable.keys() else stable or known
    finite = sorted(edge for edge in total if edge < inf)
    counts = tuple(total[edge] for edge in (*finite, inf)) if total else ()
    error = _beyond_all(guard, finite) if known else ""
    return Evidence(until, waiting=Waiting(tuple(finite), counts), error=error)


def _beyond_all(guard: LatencyGuard, finite: Sequence[float]) -> str:
    """Why the limit cannot be judged, if it cannot."""
    bound, highest = guard.bound, max(finite, default=0.0)
    if not isinstance(bound, QuantileLimit) or highest >= bound.seconds:
        return ""
    return (
        f"the histogram {guard.histogram} has no edge at or above {bound.seconds:g} s; its highest "
        f"is {highest:g} s. Set a lower limit."
    )


def _histogram(waiting: Waiting) -> dict[float, float]:
    return dict(zip((*waiting.edges, inf), waiting.counts, strict=False))


def _value(guard: ValueGuard, evidence: Evidence, window: Window) -> Evidence:
    """A window without a value, or too soon after the last, is not one; a tie tells nothing."""
    canary = window.canary.values.get(guard.value)
    bounds = _bounds(guard, window.stable.values.get(guard.value))
    if canary is None or not bounds or window.end - evidence.until < guard.spacing - 1e-6:
        return replace(evidence, error="")
    sign = -1 if guard.direction is Direction.HIGHER_IS_BETTER else 1
    seen = {
        claim: Counts(float(sign * canary > sign * bound), float(canary != bound))
        for claim, bound in bounds.items()
    }
    lines = claims(guard)
    track = evidence.tracks[0] if evidence.tracks else opened(lines)
    (x, y), (n, k) = track.events, track.requests
    beyond = seen[next(reversed(bounds))]
    grown = Track(
        windows=track.windows + 1,
        events=(x + beyond.events, y),
        requests=(n + beyond.requests, k),
        stakes=bet(track, lines, seen),
    )
    return Evidence(window.end, (grown,))


def _bounds(guard: ValueGuard, stable: float | None) -> dict[str, float]:
    """What the canary's value is compared with, by claim; empty if it cannot be."""
    bound = guard.bound
    if isinstance(bound, Limit):
        return {Claim.OVER_LIMIT: bound.value, Claim.UNDER_LIMIT: bound.value}
    if stable is None:
        return {}
    if guard.direction is Direction.HIGHER_IS_BETTER:
        allowed = min(stable / bound.relative, stable - bound.margin)
    else:
        allowed = max(stable * bound.relative, stable + bound.margin)
    return {
        Claim.WORSE: stable,
        Claim.BEYOND_TOLERANCE: allowed,
        Claim.WITHIN_TOLERANCE: allowed,
    }
