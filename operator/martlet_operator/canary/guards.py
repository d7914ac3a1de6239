"""What is guarded, what counts as worse, and how the chance of a false rollback is shared out.

**Worse**, for shares of bad requests: with a tolerance t and a margin m the canary's share c is
tolerated beside the stable's s while c <= max(t s, s + m). So a doubling from 0.01 % to 0.02 % is
tolerated by the margin, and 10 % beside 8 % by the tolerance. For a latency, a tolerance of 1.1
means that each request may take 1.1 times as long (see edges). For a value of a window that one
cannot count, the same bound on the value itself, more often than not.

**Fail** needs a refutation of each of these, all of them at any time, as often as one looks:

    c <= s          "as well as the stable"   at alpha, shared out over the guards
    c <= t s        "within the tolerance"    at ``TOLERATED``
    c <= s + m      "within the margin"       at ``TOLERATED``

So of canaries no worse than the stable at most alpha are ever rolled back, by all guards together,
and of those that are worse but tolerated at most 5 % by each guard. (The tolerated set is the union
of the last two: a union is refuted by refuting both, each at the full level.)

**Pass** is non-inferiority: a refutation of "beyond both bounds", {c >= t s and c >= s + m}, at
``PASSING``. Refuting either suffices; the mean of both e-values is one. Of a latency's edges each
must show it. All guards must pass, so nothing is shared out: a canary beyond the bounds of some
guard passes with 5 % at most.

An absolute limit minds the canary's own counts alone: c <= limit at alpha to fail, and
c >= limit at ``PASSING`` to pass. An incident of both arms can fail it, which is what it says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from martlet_operator.canary.betting import AT_LEAST, AT_MOST, Line, Side

ALPHA = 0.01
"""The chance, over all guards and times, that a canary no worse than the stable is rolled back."""
TOLERATED = 0.05
"""The chance of each guard to roll back a canary that is worse, but within the bounds."""
PASSING = 0.05
"""The chance that a canary beyond the bounds passes."""
_CRITICAL = 5.0
"""A critical guard's part of alpha, in those of another: it decides sooner."""


class Direction(StrEnum):
    LOWER_IS_BETTER = "LowerIsBetter"
    HIGHER_IS_BETTER = "HigherIsBetter"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Bounds beside the stable revision: relative (1 or more) and absolute (0 or more), in the unit
    of what is guarded: a share, seconds, the value's."""

    relative: float = 1.0
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.relative < 1 or self.margin < 0:
            raise ValueError(
                f"a tolerance is at least 1 and a margin at least 0, not {self.relative:g} and "
                f"{self.margin:g}: write 1.1 for ten percent worse"
            )
        if self.relative == 1 and self.margin == 0:
            raise ValueError(
                "tolerance 1 without a margin could never be passed: no amount of data shows two "
                "revisions equal. Set a tolerance above 1 or a margin above 0"
            )


@dataclass(frozen=True, slots=True)
class Limit:
    """An absolute bound: a share for errors, else in the value's own unit."""

    value: float


@dataclass(frozen=True, slots=True)
class QuantileLimit:
    """An absolute bound of a latency: so many seconds, kept by this part of the requests."""

    seconds: float
    quantile: float = 0.95


@dataclass(frozen=True, slots=True)
class ShareGuard:
    """Bad requests among all: two counters of the window."""

    name: str
    bound: Tolerance | Limit = Tolerance(1.5, 0.005)
    critical: bool = True
    events: str = "errors"
    requests: str = "requests"

    def __post_init__(self) -> None:
        if isinstance(self.bound, Limit) and not 0 < self.bound.value < 1:
            raise ValueError(
                f"{self.name}: a limit of {self.bound.value:g} is no share between 0 and 1; write "
                "0.01 for one in a hundred"
            )


@dataclass(frozen=True, slots=True)
class LatencyGuard:
    """A latency, by a histogram of the window with seconds for edges."""

    name: str
    histogram: str
    bound: Tolerance | QuantileLimit = Tolerance(1.1)
    critical: bool = False

    def __post_init__(self) -> None:
        bound = self.bound
        if isinstance(bound, QuantileLimit) and not (bound.seconds > 0 and 0 < bound.quantile < 1):
            raise ValueError(
                f"{self.name}: a limit has seconds above 0 and a quantile between 0 and 1, not "
                f"{bound.seconds:g} and {bound.quantile:g}"
            )


@dataclass(frozen=True, slots=True)
class ValueGuard:
    """A number of each arm and window, as a PromQL query or a throughput gives it.

    Only its order is used: in how many windows was the canary's beyond the bound? One window is
    counted every ``spacing`` seconds, which must be no shorter than what the number is made from:
    numbers that share their data are not new evidence.
    """

    name: str
    value: str
    bound: Tolerance | Limit
    direction: Direction = Direction.LOWER_IS_BETTER
    critical: bool = False
    spacing: float = 60.0

    def __post_init__(self) -> None:
        if self.spacing <= 0:
            raise ValueError(f"{self.name}: spacing is in seconds above 0, not {self.spacing:g}")


Guard = ShareGuard | LatencyGuard | ValueGuard


class Claim(StrEnum):
    """What evidence is gathered for. The first four refute AT_MOST lines, the others AT_LEAST."""

    WORSE = "worse"
    BEYOND_TOLERANCE = "beyondTolerance"
    BEYOND_MARGIN = "beyondMargin"
    OVER_LIMIT = "overLimit"
    WITHIN_TOLERANCE = "withinTolerance"
    WITHIN_MARGIN = "withinMargin"
    UNDER_LIMIT = "underLimit"


SIDES: dict[str, Side] = {
    Claim.WORSE: AT_MOST,
    Claim.BEYOND_TOLERANCE: AT_MOST,
    Claim.BEYOND_MARGIN: AT_MOST,
    Claim.OVER_LIMIT: AT_MOST,
    Claim.WITHIN_TOLERANCE: AT_LEAST,
    Claim.WITHIN_MARGIN: AT_LEAST,
    Claim.UNDER_LIMIT: AT_LEAST,
}

_EQUAL = Line(1.0, 0.0)
_HALF = Line(0.0, 0.5)


@cache
def claims(guard: Guard, allowed: float = 0.0) -> Mapping[str, Line]:
    """What evidence is gathered for, with the lines. ``allowed`` is a latency's tolerance at the
    edge, in shares.

    A value's windows are the requests of a sign test: half of them may be beyond the bound.
    """
    bound = guard.bound
    if isinstance(guard, ValueGuard):
        return _tolerated(_HALF, _HALF) if isinstance(bound, Tolerance) else _limited(_HALF)
    if isinstance(bound, QuantileLimit):
        return _limited(Line(0.0, 1 - bound.quantile))
    if isinstance(bound, Limit):
        return _limited(Line(0.0, bound.value))
    if isinstance(guard, LatencyGuard):
        return _tolerated(_EQUAL, Line(1.0, allowed))
    return _beside(bound)


def _limited(line: Line) -> dict[str, Line]:
    return {Claim.OVER_LIMIT.value: line, Claim.UNDER_LIMIT.value: line}


def _tolerated(equal: Line, line: Line) -> dict[str, Line]:
    return {
        Claim.WORSE.value: equal,
        Claim.BEYOND_TOLERANCE.value: line,
        Claim.WITHIN_TOLERANCE.value: line,
    }


def _beside(bound: Tolerance) -> dict[str, Line]:
    found = {Claim.WORSE.value: _EQUAL}
    if bound.relative > 1:
        line = Line(bound.relative, 0.0)
        found |= {Claim.BEYOND_TOLERANCE.value: line, Claim.WITHIN_TOLERANCE.value: line}
    if bound.margin > 0:
        line = Line(1.0, bound.margin)
        found |= {Claim.BEYOND_MARGIN.value: line, Claim.WITHIN_MARGIN.value: line}
    return found


def shares(guards: Sequence[Guard], alpha: float = ALPHA) -> Mapping[str, float]:
    """Each guard's part of alpha, by name: the union bound, a critical guard counting as five."""
    weights = {guard.name: _CRITICAL if guard.critical else 1.0 for guard in guards}
    if len(weights) < len(guards):
        raise ValueError("two guards have the same name")
    total = sum(weights.values())
    return {name: alpha * weight / total for name, weight in weights.items()}
