"""Simulated traffic of a canary and the stable revision beside it: what their pods would count."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

TTFT_EDGES = (0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
E2E_EDGES = (1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0)
"""Those of vLLM that such requests reach."""
TTFT = (0.3, 0.6)
E2E = (6.0, 0.7)
"""Median seconds, and the standard deviation of their logarithm."""
ERRORS = 0.005
BURST = 5
"""Requests that fail at once, where errors come in bursts."""
IN_BURSTS = 0.5
"""The part of all errors that does."""

BEFORE = 300
"""Seconds that the stable revision is watched while the canary loads."""
COLD = 120
"""Seconds of the canary that are cold: three times as slow at first."""
HOUR = 3600


@dataclass(frozen=True)
class Scenario:
    """One cell's traffic. ``ttft`` and ``errors`` are the canary's from ``since`` seconds on."""

    name: str
    rps: float
    weights: tuple[float, ...] = (0.1,)
    bursts: bool = True
    errors: float = ERRORS
    ttft: float = 1.0
    spread: float = TTFT[1]
    since: float = COLD
    incident: bool = False
    spells: bool = False
    unread: bool = False
    daily: float = 0.4
    scrape: int = 15
    seconds: int = COLD + HOUR


@dataclass(frozen=True)
class Arm:
    """By scrape: requests, errors, and cumulative counts by bucket, the last of all requests."""

    requests: Counts
    errors: Counts
    ttft: Counts
    e2e: Counts


@dataclass(frozen=True)
class Traffic:
    """``times`` are the ends of the scrapes, in seconds since the canary's first request."""

    times: Counts
    canary: Arm
    stable: Arm


def simulate(scenario: Scenario, seed: int) -> Traffic:
    rng = np.random.default_rng(seed)
    step = scenario.scrape
    times = np.arange(-BEFORE + step, scenario.seconds + 1, step)
    middle = times - step / 2
    load = 1 + scenario.daily * np.sin(2 * np.pi * (middle / (3 * HOUR) + rng.random()))
    weight = _weights(scenario, middle)
    arms = []
    for canary in (True, False):
        share = weight if canary else 1 - weight
        requests = rng.poisson(scenario.rps * load * step * share)
        errors, requests = _errors(rng, scenario, requests, middle, canary)
        slow = load**0.5 * _slowness(rng, scenario, middle, canary)
        ttft = _buckets(rng, requests, TTFT_EDGES, TTFT[0] * slow, scenario.spread)
        e2e = _buckets(rng, requests, E2E_EDGES, E2E[0] * load**0.5, E2E[1])
        arms.append(Arm(requests, errors, ttft, e2e))
    return Traffic(times, arms[0], arms[1])


def _weights(scenario: Scenario, middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Steps of equal length."""
    steps = np.array(scenario.weights)
    at = np.clip(middle / scenario.seconds * len(steps), 0, len(steps) - 1).astype(int)
    return np.where(middle < 0, 0.0, steps[at])


def _errors(
    rng: np.random.Generator,
    scenario: Scenario,
    requests: Counts,
    middle: NDArray[np.float64],
    canary: bool,
) -> tuple[Counts, Counts]:
    """(errors, requests): a burst brings its requests along."""
    wrong = np.where(canary & (middle > scenario.since), scenario.errors, ERRORS)
    if scenario.incident:
        wrong = np.where(_during(middle, 900, 300), 0.2, wrong)
    if not scenario.bursts:
        return rng.binomial(requests, wrong), requests
    single = rng.binomial(requests, wrong * (1 - IN_BURSTS))
    bursts = BURST * rng.poisson(requests * wrong * IN_BURSTS / BURST)
    return single + bursts, requests + bursts


def _slowness(
    rng: np.random.Generator, scenario: Scenario, middle: NDArray[np.float64], canary: bool
) -> NDArray[np.float64]:
    slow = np.ones_like(middle)
    if scenario.incident:
        slow = slow * np.where(_during(middle, 900, 300), 3.0, 1.0)
    if scenario.spells:
        for begin in rng.uniform(
            -BEFORE, scenario.seconds, rng.poisson((BEFORE + scenario.seconds) / 600)
        ):
            slow = slow * np.where(_during(middle, begin, 30), 2.0, 1.0)
    if canary:
        slow = slow * np.where(_during(middle, 0, COLD), 3 - 2 * middle / COLD, 1.0)
        slow = slow * np.where(middle > scenario.since, scenario.ttft, 1.0)
    return slow


def _during(middle: NDArray[np.float64], begin: float, seconds: float) -> NDArray[np.bool_]:
    return (middle >= begin) & (middle < begin + seconds)


_PHI = np.vectorize(NormalDist().cdf, otypes=[float])


def _buckets(
    rng: np.random.Generator,
    requests: Counts,
    edges: tuple[float, ...],
    median: NDArray[np.float64],
    spread: float,
) -> Counts:
    """Cumulative counts by edge, infinity last, of log-normal times."""
    below = _PHI(np.log(np.array(edges) / median[:, None]) / spread)
    chances = np.diff(below, axis=1, prepend=0.0, append=1.0)
    counts: Counts = rng.multinomial(requests, chances).cumsum(axis=1)
    return counts
