"""The spec's guards as the canary's tests have them, and their evidence as the status has it. Pure.

A guard with an ``slo`` besides a tolerance is two tests: beside the stable revision, and alone.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from martlet_api import canary as api
from martlet_api.durations import seconds
from martlet_api.inferenceservice import GuardEvidence
from martlet_operator.canary.evidence import Evidence, failed, read, written
from martlet_operator.canary.fold import fold
from martlet_operator.canary.guards import (
    Direction,
    Guard,
    LatencyGuard,
    Limit,
    QuantileLimit,
    ShareGuard,
    Tolerance,
    ValueGuard,
    shares,
)
from martlet_operator.canary.telling import sentence, worst
from martlet_operator.canary.verdict import Progress, progress, verdict
from martlet_operator.canary.windows import Window
from martlet_operator.inferenceservice.rollout.state import Rollout, Verdict
from martlet_operator.probe.scoring import invalid

REQUESTS, ERRORS = "requests", "errors"
"""The counts of a window that guards of errors take."""
PROBES, WRONG = "probes", "wrong answers"
"""Those that guards of quality take."""
_QUANTILE = 0.95


@dataclass(frozen=True)
class Watched:
    """What the pods' pages said since the pass before: a window, if one closed, and by guard why a
    number that was asked for is not there."""

    window: Window | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """``evidence`` for the status, ``verdicts`` with a sentence each, and how many requests the
    canary answered that count."""

    evidence: list[GuardEvidence]
    verdicts: dict[str, tuple[Verdict, str]]
    requests: int


def guards_of(spec: api.Canary) -> list[Guard]:
    return [guard for told in spec.guards for guard in _guards(told)]


def _guards(told: api.Guard) -> Iterator[Guard]:
    if told.tolerance is not None or told.margin is not None:
        yield _guard(told, told.title, Tolerance(told.tolerance or 1.0, told.margin or 0.0))
    if told.slo is not None:
        name = f"{told.title} slo" if told.tolerance or told.margin else told.title
        yield _guard(told, name, Limit(told.slo))


def _guard(told: api.Guard, name: str, bound: Tolerance | Limit) -> Guard:
    if told.metric == "ErrorRate":
        return ShareGuard(name, bound, told.critical, ERRORS, REQUESTS)
    if told.metric == "Quality":
        return ShareGuard(name, bound, told.critical, WRONG, PROBES)
    if told.metric in api.LATENCIES:
        return LatencyGuard(name, told.metric, _of_latency(told, bound), told.critical)
    direction = Direction(told.direction or Direction.LOWER_IS_BETTER)
    if told.metric == "Throughput":
        direction = Direction.HIGHER_IS_BETTER
    return ValueGuard(name, told.title, bound, direction, told.critical)


def _of_latency(told: api.Guard, bound: Tolerance | Limit) -> Tolerance | QuantileLimit:
    if isinstance(bound, Tolerance):
        return bound
    return QuantileLimit(bound.value, told.quantile or _QUANTILE)


def problem(
    spec: api.Canary | None, engine: str, offered: Collection[str], prometheus: str
) -> str | None:
    """Why a guard could never be judged; None where all can."""
    if spec and spec.probe and (wrong := invalid(spec.probe)):
        return wrong
    for guard in spec.guards if spec else []:
        if guard.metric == "PromQL" and not prometheus:
            return (
                f"Guard {guard.title} asks a Prometheus, and the operator knows none: set "
                "prometheus.url of the chart, or use another guard."
            )
        if guard.metric not in ("PromQL", "Quality", *offered):
            return (
                f"{engine} does not tell enough for guard {guard.title}; it does for "
                f"{', '.join(sorted(offered))}."
            )
    return None


def judged(
    spec: api.Canary | None,
    rollout: Rollout,
    former: Sequence[GuardEvidence],
    watched: Watched,
) -> Judged:
    """Folds a window into the evidence and asks for verdicts."""
    if spec is None:
        return Judged([], {}, 0)
    guards = guards_of(spec)
    window = watched.window
    counted = window is not None and _counts(spec, rollout, window)
    if window and not counted:
        window = window.stable_alone
    known = {told.guard: json.loads(told.state) for told in former}
    parts = shares(guards)
    evidence, verdicts = [], {}
    for guard in guards:
        state = read(guard, known.get(guard.name, {}))
        if window:
            state = fold(guard, state, window)
        if problem := watched.problems.get(guard.name):
            state = failed(state, problem)
        found: Verdict = verdict(state, parts[guard.name]).value
        evidence.append(_told(guard, state, found, parts[guard.name]))
        verdicts[guard.name] = (found, sentence(guard, state))
    answered = int(window.canary.counts.get(REQUESTS, 0.0)) if window and counted else 0
    return Judged(evidence, verdicts, answered)


def _counts(spec: api.Canary, rollout: Rollout, window: Window) -> bool:
    """Whether what the canary did in a window is evidence: all of it under weights that the gateway
    had taken, and not while its caches were cold."""
    if rollout.since is None or rollout.exposed_at is None:
        return False
    warm = rollout.exposed_at.timestamp() + seconds(spec.warm_up)
    return window.start >= max(warm, rollout.since.timestamp())


def _told(guard: Guard, state: Evidence, found: Verdict, alpha: float) -> GuardEvidence:
    come: Progress = progress(state, alpha)
    canary, stable = _figures(guard, state)
    return GuardEvidence(
        guard=guard.name,
        verdict=found,
        canary=canary,
        stable=stable,
        to_fail=round(come.fail, 3),
        to_pass=round(come.passing, 3),
        state=json.dumps(written(state), separators=(",", ":")),
    )


def _figures(guard: Guard, state: Evidence) -> tuple[str | None, str | None]:
    """Bad events among all, of both; of a value the windows in which it was beyond the bound."""
    track = worst(state)
    if track is None:
        return None, None
    canary = f"{track.events[0]:g}/{track.requests[0]:g}"
    alone = isinstance(guard, ValueGuard) or not isinstance(guard.bound, Tolerance)
    return canary, None if alone else f"{track.events[1]:g}/{track.requests[1]:g}"
