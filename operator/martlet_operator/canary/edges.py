"""At which edges of a histogram a latency is judged, and what a tolerance means there.

A histogram tells for each edge how many requests were not slower. The edges are chosen from the
stable revision's requests before the canary's are looked at, and kept: evidence gathers by edge.
"""

from collections.abc import Iterable, Mapping
from math import inf, log
from statistics import NormalDist

ENOUGH = 200.0
"""Requests of the stable revision from which the edges are chosen."""
MOST = 3
"""Edges that are watched at once; more would share the same evidence."""
_LOW, _HIGH = 0.04, 0.7
"""The shares of slower requests between which an edge tells most."""
_LEAST = 0.005
"""The least difference in shares that a tolerance allows: half a request in a hundred."""

Histogram = Mapping[float, float]
"""Cumulative counts by upper edge, as Prometheus has them; the last edge is infinity."""


def slower(histogram: Histogram, edge: float) -> float:
    """How many requests were slower than an edge of the histogram."""
    return histogram[inf] - histogram[edge]


def added(first: Histogram, second: Histogram) -> dict[float, float]:
    """The sum at the edges that both have: a cumulative count needs no others."""
    return {edge: first[edge] + second[edge] for edge in first if edge in second}


def chosen(stable: Histogram, allowed: Iterable[float]) -> tuple[float, ...]:
    """Up to three of the allowed edges, spread over those that 4 to 70 % were slower than.

    Where buckets are so coarse that there is none, the lowest that fewer were slower than. Empty if
    there is no edge at all.
    """
    edges = sorted(edge for edge in set(allowed) & stable.keys() if edge != inf)
    shares = {edge: slower(stable, edge) / stable[inf] for edge in edges}
    good = [edge for edge in edges if _LOW <= shares[edge] <= _HIGH]
    if not good:
        return tuple([edge for edge in edges if shares[edge] < _LOW][:1] or edges[-1:])
    if len(good) <= MOST:
        return tuple(good)
    return tuple(good[round(i * (len(good) - 1) / (MOST - 1))] for i in range(MOST))


def tolerated(stable: Histogram, edge: float, relative: float, margin: float) -> float:
    """How much greater the share slower than ``edge`` may be, if a request that takes t may take
    max(relative * t, t + margin): those then get slower than the edge that now take longer than
    min(edge / relative, edge - margin)."""
    since = max(0.0, min(edge / relative, edge - margin))
    more = (_slower_than(stable, since) - slower(stable, edge)) / stable[inf]
    return round(max(more, _LEAST), 4)


def _slower_than(histogram: Histogram, seconds: float) -> float:
    """Between edges as if times were log-normal there: normal quantiles are straight lines over the
    logarithm of time. Below the first edge its line goes on."""
    total = histogram[inf]
    edges = sorted(edge for edge in histogram if 0 < edge < inf)
    if seconds <= 0 or len(edges) < 2:
        return total
    below = max((edge for edge in edges[:-1] if edge <= seconds), default=edges[0])
    above = edges[edges.index(below) + 1]
    first, second = (_quantile(histogram[edge] / total, total) for edge in (below, above))
    part = log(seconds / below) / log(above / below)
    return total * (1 - _NORMAL.cdf(first + part * (second - first)))


_NORMAL = NormalDist()


def _quantile(share: float, total: float) -> float:
    """Of none or all requests as of half a request."""
    least = 0.5 / total
    return _NORMAL.inv_cdf(min(max(share, least), 1 - least))
