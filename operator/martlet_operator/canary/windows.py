"""From readings of the pods' counters to windows of both arms.

A reading is plain data: what each pod's metrics page said at one time. Two readings of both arms
make a window, the counts between them. Only counts that both arms gathered in the same span are
compared, for an incident must hit both alike:

- A pod whose page could not be read keeps the window open for both arms, up to ``PATIENCE``; then
  the window closes without it, and what it counted meanwhile is never looked at.
- A pod that is new counts from its first reading on, one that is gone to its last but one.
- A counter that fell was restarted in the window; what it shows was counted since.
- A reading that arrives twice closes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from martlet_operator.canary.edges import Histogram, added

Series = float | Histogram
"""A counter, or a histogram's cumulative counts by upper edge, infinity included."""
Pod = Mapping[str, Series]
"""By name, as the guards have them."""

SKEW = 2.0
"""Seconds that the readings of the two arms may lie apart."""
PATIENCE = 60.0
"""Seconds that a window is kept open for a pod that cannot be read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One arm at a time in Unix seconds. ``pods`` by uid; ``missing`` are the uids of pods that run
    but could not be read."""

    time: float
    pods: Mapping[str, Pod]
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Readings:
    canary: Reading
    stable: Reading

    @property
    def time(self) -> float:
        return max(self.canary.time, self.stable.time)

    @property
    def concurrent(self) -> bool:
        return abs(self.canary.time - self.stable.time) <= SKEW

    @property
    def complete(self) -> bool:
        return not (self.canary.missing or self.stable.missing)


@dataclass(frozen=True, slots=True)
class Arm:
    """What one arm's pods counted in a window, and numbers that were asked for (PromQL)."""

    counts: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    start: float
    end: float
    canary: Arm
    stable: Arm

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def stable_alone(self) -> "Window":
        """Without the canary, whose first minutes (cold caches) are nobody's measure."""
        return Window(self.start, self.end, Arm(), self.stable)


def advance(before: Readings | None, after: Readings) -> tuple[Window | None, Readings | None]:
    """(the window that closes, if one does; the readings from which the next begins).

    ``before`` is what the last call returned, None at first.
    """
    if not after.concurrent:
        return None, before
    if before is None:
        return None, after
    late = after.time - before.time >= PATIENCE
    if after.time <= before.time or not (after.complete or late):
        return None, before
    canary = increase(before.canary, after.canary)
    stable = increase(before.stable, after.stable)
    return Window(before.time, after.time, canary, stable), after


def increase(before: Reading, after: Reading) -> Arm:
    """The sum over the pods that both readings have. Histograms are summed at common edges."""
    counts: dict[str, float] = {}
    histograms: dict[str, dict[float, float]] = {}
    for uid, pod in after.pods.items():
        former = before.pods.get(uid)
        if former is None:
            continue
        if _restarted(former, pod):
            former = {}
        for name, series in pod.items():
            if isinstance(series, float | int):
                counts[name] = counts.get(name, 0.0) + series - _counter(former, name)
            else:
                grown = _grown(_histogram(former, name), series)
                known = histograms.get(name)
                histograms[name] = grown if known is None else added(known, grown)
    return Arm(counts, histograms)


def _restarted(former: Pod, pod: Pod) -> bool:
    """Whether any series fell or changed its edges: all of a process begin anew together."""
    for name, series in pod.items():
        if isinstance(series, float | int):
            if series < _counter(former, name):
                return True
        elif (base := _histogram(former, name)) and (
            series[inf] < base[inf] or base.keys() != series.keys()
        ):
            return True
    return False


def _counter(pod: Pod, name: str) -> float:
    series = pod.get(name, 0.0)
    return series if isinstance(series, float | int) else 0.0


def _histogram(pod: Pod, name: str) -> Histogram:
    series = pod.get(name, {})
    return {} if isinstance(series, float | int) else series


def _grown(base: Histogram, series: Histogram) -> dict[float, float]:
    if not base:
        return dict(series)
    return {edge: count - base[edge] for edge, count in series.items()}
