"""The one e-variable that every guard bets with, and the evidence that gathers from it.

Two arms are watched at the same time. In one window the canary had x bad events among n requests,
the stable revision y among k; c and s are the unknown probabilities of a bad request. A hypothesis
is a half-plane of (c, s), bounded by a line:

    c <= a s + m    (to be refuted by a canary that is worse: ``AT_MOST``)
    c >= a s + m    (to be refuted by a canary that is well: ``AT_LEAST``)

a = 1, m = 0 says "as the stable"; a = 1.5, m = 0 "within a tolerance"; a = 1, m = 0.005 "within a
margin"; a = 0, m = 0.01 "within a limit", whatever the stable does.

**The bet.** Take a point (c0, s0) on the line, a number u, and v = -a u n / k. The factor

    F = (1 + u (1 - c0))^x (1 - u c0)^(n - x) (1 + v (1 - s0))^y (1 - v s0)^(k - y)

has an expectation of at most 1 under the whole hypothesis, if u >= 0 for AT_MOST and u <= 0 for
AT_LEAST and all four terms are positive. For in expectation a request of the canary multiplies F by
1 + u (c - c0), one of the stable's by 1 + v (s - s0), if requests are independent; log(1 + z) <= z:

    log E F <= n u (c - c0) + k v (s - s0) = n u [(c - c0) - a (s - s0)] = n u [c - (a s + m)] <= 0.

Nothing else is assumed: not that c and s are the same in the next window (incidents, a day's
load), nor that n and k keep their proportion (weights step up). The line itself is the least
favourable part of the composite hypothesis: there the bound is 0, inside it is negative. (c0, s0),
u and v may depend on all that was seen before the window and on n and k. Hence the product of the
windows' factors is a test supermartingale, and by Ville's inequality it ever exceeds 1/alpha with
probability alpha at most, however often one looks: 2 x 2 tables by Turner, Ly and Grünwald
(arXiv 2106.02693), betting by Waudby-Smith and Ramdas (arXiv 2010.09686).

**Where to bet.** For an alternative (c1, s1) the fastest growth has the point on the line that is
nearest to it in Kullback-Leibler divergence, and u = (c1 - c0) / (c0 (1 - c0)). For rare events and
m = 0 the stable's s1 then cancels, and F is the likelihood ratio of the canary's share in the total
of events, a binomial with odds by exposure: the mixture of Johari et al. and of Lindon and Malek
(arXiv 2011.03567), which this generalizes to frequent events (slow requests) and to margins. s1 is
the stable's share in the past, c1 lies at fixed distances from the line in log odds.

**Mixtures.** The mean over alternatives is again an e-process. So is the mean over starting times:
M <- (M + v_k) F, where a share v_k of the stake is put in at window k. Thereby a canary that was
well for an hour and then falls ill is not protected by that hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, log, log1p, sqrt


@dataclass(frozen=True, slots=True)
class Side:
    """A half-plane to bet against, by alternatives beyond its line: the canary's odds of a bad
    request in those of the line, what is staked on each, and what part of it is put in later."""

    odds: tuple[float, ...]
    weights: tuple[float, ...]
    later: float


AT_MOST = Side((1.5, 4.0, 11.0), (0.1, 0.6, 0.3), 0.05)
"""Most is staked on what does harm while it is not seen, less on what is hard to tell apart."""
AT_LEAST = Side((0.85, 0.6, 0.1), (0.4, 0.35, 0.25), 0.0)
"""To show that something is well one looks nearer, or at next to no errors at all; and all windows
count alike."""

EACH = 1 / 500
"""What of the later part is put in at each window: on average the 500th, an hour or two."""


@dataclass(frozen=True, slots=True)
class Line:
    """c = slope * s + offset; the slope is 0, or 1 and more."""

    slope: float
    offset: float


@dataclass(frozen=True, slots=True)
class Counts:
    """One window of both arms: bad events among requests."""

    events: float
    requests: float
    stable_events: float = 0.0
    stable_requests: float = 0.0


_EDGE = 1e-9
_ALL = 1 - 1e-3
"""No bet is made on a line below or above these probabilities."""
_MOST = 0.95
"""No bet stakes more than this part of what it has."""
_CEILING = 600.0
"""Log evidence beyond which nothing is added: exp must not overflow. Less evidence is valid."""
_DIGITS = 1e5
_LOG_3 = log(3)


def opening(side: Side) -> tuple[float, ...]:
    """The log stakes before any window."""
    return tuple(log(weight * (1 - side.later)) for weight in side.weights)


def put_in(side: Side, windows: int) -> float:
    """What of each stake is put in at the ``windows``-th window, counted from 0."""
    return side.later * EACH * (1 - EACH) ** windows if side.later else 0.0


def log_factors(line: Line, side: Side, seen: Counts, stable: float) -> list[float]:
    """log F of each alternative, for a stable share expected to be ``stable``.

    All zero where nothing can be learnt: no request of the canary, or none of the stable's where
    the line minds it, or a line beyond all probabilities.
    """
    n, k, a, m = seen.requests, seen.stable_requests, line.slope, line.offset
    s = _EDGE if stable < _EDGE else stable
    c = a * s + m
    if n <= 0 or (a > 0 and k <= 0) or not _EDGE <= c <= _ALL or s >= 1:
        return [0.0] * len(side.odds)
    apart = c / (1 - c)
    if a == 0:
        return [_gain(seen, c, _share(apart * odds), 0.0, 0.0) for odds in side.odds]
    # The nearest point (c0, s0): n' KL(c1 | c0) + k' KL(s | s0) has no slope along the line, with
    # Poisson divergences and the weights n' = n / (1 - c), k' = k / (1 - s) that make them binomial
    # near the mean. Times s0 c0 this is a quadratic equation in s0.
    wn, wk = a * n / (1 - c), k / (1 - s)
    rest = wk * (m - a * s)
    square = 2 * a * (wn + wk)
    constant = 2 * square * wk * s * m
    gains = []
    for odds in side.odds:
        c1 = _share(apart * odds)
        linear = wn * (m - c1) + rest
        s0 = (sqrt(linear * linear + constant) - linear) / square
        gains.append(_gain(seen, a * s0 + m, c1, a, s0))
    return gains


def _share(odds: float) -> float:
    return odds / (1 + odds)


def _gain(seen: Counts, c0: float, c1: float, a: float, s0: float) -> float:
    """log F for the point (c0, s0) on the line and an alternative c1, which lies beyond c0.

    By u the canary's terms are c1 / c0 and (1 - c1) / (1 - c0), always positive; v needs a check.
    """
    x, n, y, k = seen.events, seen.requests, seen.stable_events, seen.stable_requests
    u = (c1 - c0) / (c0 * (1 - c0))
    if not a:
        return x * log1p(u * (1 - c0)) + (n - x) * log1p(-u * c0)
    v = -a * n * u / k
    if -v * (1 - s0) > _MOST or v * s0 > _MOST:
        v = -_MOST / (1 - s0) if v < 0 else _MOST / s0
        u = -v * k / (a * n)
    gain = (n - x) * log1p(-u * c0) + (k - y) * log1p(-v * s0)
    if x:
        gain += x * log1p(u * (1 - c0))
    if y:
        gain += y * log1p(v * (1 - s0))
    return gain


def gathered(
    stakes: tuple[float, ...], side: Side, factors: list[float], later: float
) -> tuple[float, ...]:
    """The log stakes after one more window: ``later`` is put in, then all is multiplied.

    They are rounded down, so that a status keeps them in few digits: still an e-process, and a
    thousand windows lose 0.01 of the 5 or 6 that a rollback needs.
    """
    new = []
    for stake, weight, factor in zip(stakes, side.weights, factors, strict=True):
        if later:
            stake = log(exp(stake) + weight * later)
        stake += factor
        new.append(floor((stake if stake < _CEILING else _CEILING) * _DIGITS) / _DIGITS)
    return tuple(new)


def log_evidence(processes: Sequence[Sequence[float]]) -> float:
    """log of the mean of e-processes, each the sum of its stakes. What is yet to be put in counts
    as nothing."""
    stakes = [stake for process in processes for stake in process]
    most = max(stakes)
    return most + log(sum([exp(stake - most) for stake in stakes]) / len(processes))


def reaches(processes: Sequence[Sequence[float]], level: float) -> bool:
    """Whether the mean of the e-processes is at least 1 / level."""
    needed = -log(level)
    # A sum of three is at most three times the greatest: mostly it need not be taken.
    return max(map(max, processes)) + _LOG_3 >= needed and log_evidence(processes) >= needed
