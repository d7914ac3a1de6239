"""Three rules on the same traffic: the product's own code, one like Flagger's, one like Argo's.

Flagger 1.44 (docs/gitbook/usage/metrics.md and how-it-works.md, pkg/controller/scheduler.go): every
``interval`` (60 s) the metrics of the last minute are checked; a success rate below 99 %, a P99 of
the duration above 500 ms, or no value at all is a failed check; failed checks are counted over the
whole rollout, and the run after the ``threshold``-th (5 in the docs' canaries) rolls back.

Argo Rollouts 1.10 (docs/features/analysis.md, analysis/analysis.go): a measurement every
``interval``, successCondition ``result[0] >= 0.95`` of the docs; more failed ones than
``failureLimit`` (0) abort; NaN, no request in the interval, fails the condition; an empty answer or
none is an Error, asked again after 10 s, and more than 4 in a row abort.
"""

from dataclasses import dataclass
from math import inf
from statistics import NormalDist

import numpy as np
from canary_traffic import COLD, E2E_EDGES, TTFT, TTFT_EDGES, Arm, Counts, Scenario, Traffic
from numpy.typing import NDArray

from martlet_operator.canary.evidence import Evidence, failed
from martlet_operator.canary.fold import fold
from martlet_operator.canary.guards import Guard, LatencyGuard, ShareGuard, shares
from martlet_operator.canary.verdict import Verdict, together, verdict
from martlet_operator.canary.windows import Pod, Reading, Readings, advance

GUARDS: tuple[Guard, ...] = (
    ShareGuard("ErrorRate"),
    LatencyGuard("TTFT", "ttft"),
    LatencyGuard("E2E", "e2e"),
)
ALPHA = shares(GUARDS)
UNREAD = (900, 1260)
"""When the metrics cannot be read, in seconds, in a scenario that says so."""

_TTFT = (*TTFT_EDGES, inf)
_E2E = (*E2E_EDGES, inf)


@dataclass(frozen=True)
class Outcome:
    """Seconds since the canary's first request; infinity: never."""

    rolled_back: float
    passed: float = inf


def martlet(traffic: Traffic, scenario: Scenario) -> Outcome:
    """By the product's code, from the pods' counters on."""
    evidence = {guard.name: Evidence() for guard in GUARDS}
    canary, stable = _pods(traffic.canary), _pods(traffic.stable)
    before: Readings | None = None
    passed = inf
    for number, time in enumerate(traffic.times.tolist()):
        lost = scenario.unread and UNREAD[0] <= time < UNREAD[1]
        after = _readings(time, canary[number], stable[number], lost)
        window, before = advance(before, after)
        if lost:
            evidence = {
                name: failed(known, "connection refused") for name, known in evidence.items()
            }
        elif window is not None:
            window = window.stable_alone if time <= COLD else window
            evidence = {g.name: fold(g, evidence[g.name], window) for g in GUARDS}
        told = together(verdict(evidence[g.name], ALPHA[g.name]) for g in GUARDS)
        if told is Verdict.FAIL:
            return Outcome(time, passed)
        if told is Verdict.PASS and passed == inf:
            passed = time
    return Outcome(inf, passed)


def _readings(time: float, canary: Pod, stable: Pod, lost: bool) -> Readings:
    if lost:
        gone = frozenset({"pod"})
        return Readings(Reading(time, {}, gone), Reading(time, {}, gone))
    return Readings(Reading(time, {"pod": canary}), Reading(time, {"pod": stable}))


def _pods(arm: Arm) -> list[Pod]:
    requests, errors = arm.requests.cumsum().tolist(), arm.errors.cumsum().tolist()
    ttft, e2e = arm.ttft.cumsum(axis=0).tolist(), arm.e2e.cumsum(axis=0).tolist()
    return [
        {
            "requests": n,
            "errors": x,
            "ttft": dict(zip(_TTFT, t, strict=True)),
            "e2e": dict(zip(_E2E, e, strict=True)),
        }
        for n, x, t, e in zip(requests, errors, ttft, e2e, strict=True)
    ]


def flagger(traffic: Traffic, scenario: Scenario, longest: float = inf) -> Outcome:
    """``longest``: seconds that the P99 of the time to the first token may have."""
    minutes = _minutes(traffic, scenario)
    bad = (minutes.requests == 0) | (minutes.success < 0.99) | (minutes.slowest > longest)
    bad |= minutes.lost
    late = np.flatnonzero(bad)
    return Outcome(60.0 * (late[4] + 2) if len(late) >= 5 else inf)


def argo(traffic: Traffic, scenario: Scenario, longest: float = inf) -> Outcome:
    minutes = _minutes(traffic, scenario)
    bad = (minutes.requests == 0) | (minutes.success < 0.95) | (minutes.slowest > longest)
    first = np.flatnonzero(bad & ~minutes.lost)
    failing = 60.0 * (first[0] + 1) if len(first) else inf
    erring = UNREAD[0] + 40.0 if scenario.unread else inf
    return Outcome(min(failing, erring))


@dataclass(frozen=True)
class _Minutes:
    """The canary's last minute, as a provider answers every minute."""

    requests: Counts
    success: NDArray[np.float64]
    slowest: NDArray[np.float64]
    lost: NDArray[np.bool_]


def _minutes(traffic: Traffic, scenario: Scenario) -> _Minutes:
    each = 60 // scenario.scrape
    own = traffic.times > 0
    requests = traffic.canary.requests[own].reshape(-1, each).sum(axis=1)
    errors = traffic.canary.errors[own].reshape(-1, each).sum(axis=1)
    ttft = traffic.canary.ttft[own].reshape(-1, each, len(_TTFT)).sum(axis=1)
    ends = 60 * np.arange(1, len(requests) + 1)
    lost = np.array([scenario.unread and UNREAD[0] <= end < UNREAD[1] for end in ends])
    success = 1 - errors / np.maximum(requests, 1)
    return _Minutes(requests, success, _quantile(ttft, 0.99), lost)


def _quantile(counts: Counts, quantile: float) -> NDArray[np.float64]:
    """As PromQL's histogram_quantile: linear within the bucket, the last edge beyond all."""
    edges = np.array([0.0, *TTFT_EDGES])
    rank = quantile * counts[:, -1]
    at = (counts < rank[:, None]).sum(axis=1)
    inside = np.minimum(at, len(TTFT_EDGES) - 1)
    rows = np.arange(len(counts))
    base = np.where(inside > 0, counts[rows, inside - 1], 0)
    part = (rank - base) / np.maximum(counts[rows, inside] - base, 1)
    found = edges[inside] + (edges[inside + 1] - edges[inside]) * part
    return np.where(at >= len(TTFT_EDGES), edges[-1], found)


def _fitted() -> float:
    """A third above what the stable revision shows at its mean load."""
    edges = np.array([*TTFT_EDGES, np.inf])
    below = np.array([NormalDist().cdf(np.log(edge / TTFT[0]) / TTFT[1]) for edge in edges])
    return 4 / 3 * float(_quantile((1e9 * below[None, :]).astype(np.int64), 0.99)[0])


FITTED = _fitted()
"""Seconds of P99: what somebody might set who knows the model."""
