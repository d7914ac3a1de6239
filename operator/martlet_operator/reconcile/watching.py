"""Watches both revisions of a rollout: reads their pods' pages, and asks the guards' queries.

What is remembered here is only from which readings the next window begins. A new operator begins
with new readings: what was counted in between is lost, and never counted twice.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from martlet_api import labels
from martlet_api.contract import ENGINE_PORT
from martlet_api.probe import Probe
from martlet_operator import metrics
from martlet_operator.canary.windows import Arm, Reading, Readings, Window, advance
from martlet_operator.cluster.pages import read_page
from martlet_operator.cluster.prometheus import ask
from martlet_operator.engines import measures
from martlet_operator.engines.container import CONTAINER
from martlet_operator.engines.known import DIALECTS
from martlet_operator.inferenceservice.rollout.guarding import (
    ERRORS,
    PROBES,
    REQUESTS,
    WRONG,
    Watched,
)
from martlet_operator.pods.states import is_ready
from martlet_operator.probe.prober import Prober, Tally
from martlet_operator.reconcile.queue import Key

Object = dict[str, Any]

TOKENS = "tokens"
THROUGHPUT = "Throughput"

_LEAST_SECONDS = 4.0
"""Between two readings. A reading changes the status, and a changed status is looked at at once: it
would be read again as fast as the pages answer."""


@dataclass(frozen=True)
class _Before:
    """From where the next window of a rollout begins; ``running`` requests of both arms then."""

    canary: str
    readings: Readings
    running: tuple[float, float]


class Watch:
    """``prometheus`` is the address that queries are asked of, empty where there is none."""

    def __init__(self, prometheus: str = "") -> None:
        self._prometheus = prometheus
        self._prober = Prober()
        self._before: dict[Key, _Before] = {}

    def forget(self, key: Key) -> None:
        self._before.pop(key, None)
        self._prober.forget(key)

    async def look(self, key: Key, resource: Object, pods: list[Object]) -> Watched:
        """The window since the last look, of a resource with a canary that is on its way."""
        status = resource.get("status") or {}
        canary = (status.get("canary") or {}).get("revision")
        stable = (status.get("stable") or {}).get("revision")
        if not (canary and stable and resource["spec"].get("canary")):
            self.forget(key)
            return Watched()
        self._probe(key, resource, pods, (canary, stable))
        window = await self._window(key, canary, stable, pods)
        watched = await self._asked(key, _queries(resource), window, (canary, stable))
        return replace(watched, problems={**watched.problems, **self._unscored(key, resource)})

    def _probe(self, key: Key, resource: Object, pods: list[Object], arms: tuple[str, str]) -> None:
        """From when the canary has requests on."""
        probe = _probe_of(resource)
        if probe is None or not resource["status"]["canary"].get("weight"):
            self._prober.forget(key)
            return
        addresses = {arm: [pod["status"]["podIP"] for pod in _ready(pods, arm)] for arm in arms}
        self._prober.keep(key, probe, addresses)

    def _unscored(self, key: Key, resource: Object) -> dict[str, str]:
        """The problem of the guards of quality, by their names."""
        problem = self._prober.problem(key)
        guards = resource["spec"]["canary"].get("guards") or [] if problem else []
        titles = [g.get("name", "Quality") for g in guards if g.get("metric") == "Quality"]
        return {name: str(problem) for title in titles for name in (title, f"{title} slo")}

    async def _window(
        self, key: Key, canary: str, stable: str, pods: list[Object]
    ) -> Window | None:
        before = self._before.get(key)
        former = before.readings if before and before.canary == canary else None
        if former and abs(time.time() - former.time) < _LEAST_SECONDS:
            return None
        own, other = await asyncio.gather(_read(pods, canary), _read(pods, stable))
        tallies = self._prober.tallies(key)
        readings = Readings(
            _with_tally(own[0], tallies.get(canary)), _with_tally(other[0], tallies.get(stable))
        )
        window, begin = advance(former, readings)
        running = (own[1], other[1])
        if begin is not None and begin is not former:
            self._before[key] = _Before(canary, begin, running)
        if window is None or before is None:
            return window
        return replace(
            window,
            canary=_with_throughput(window.canary, window.seconds, before.running[0], running[0]),
            stable=_with_throughput(window.stable, window.seconds, before.running[1], running[1]),
        )

    async def _asked(
        self, key: Key, queries: dict[str, str], window: Window | None, arms: tuple[str, str]
    ) -> Watched:
        if not queries or window is None:
            return Watched(window)
        found = await asyncio.gather(
            *(self._answers(key, query, arms) for query in queries.values())
        )
        for title, (own, other, _) in zip(queries, found, strict=True):
            window = _with_values(window, title, own, other)
        problems = {
            title: problem
            for title, (_, _, problem) in zip(queries, found, strict=True)
            if problem is not None
        }
        return Watched(window, problems)

    async def _answers(
        self, key: Key, query: str, arms: tuple[str, str]
    ) -> tuple[float | None, float | None, str | None]:
        if not self._prometheus:
            return None, None, "no Prometheus is known: set prometheus.url of the chart"
        texts = [
            query.replace("{{revision}}", arm).replace("{{namespace}}", key.namespace)
            for arm in arms
        ]
        own, other = await asyncio.gather(*(ask(self._prometheus, text) for text in texts))
        for answer in (own, other):
            metrics.WATCHED_QUERIES.labels(result=answer.wrong or "Value").inc()
        wrong = [a.message for a in (own, other) if a.wrong == "ProviderError"]
        return own.value, other.value, wrong[0] if wrong else None


def _queries(resource: Object) -> dict[str, str]:
    """By the guard's title; of the live spec, which is not checked yet."""
    guards = resource["spec"]["canary"].get("guards") or []
    return {guard.get("name", ""): guard["query"] for guard in guards if guard.get("query")}


def _probe_of(resource: Object) -> Probe | None:
    """Of the live spec, which is not checked yet."""
    told = resource["spec"]["canary"].get("probe")
    try:
        return Probe.model_validate(told) if told else None
    except ValidationError:
        return None


def _with_tally(reading: Reading, tally: Tally | None) -> Reading:
    """The prompts that were answered stand beside what the pods counted, as one more of them."""
    if tally is None:
        return reading
    counts = {PROBES: float(tally.scored), WRONG: float(tally.wrong)}
    return replace(reading, pods={**reading.pods, "probe": counts})


def _ready(pods: list[Object], revision: str) -> list[Object]:
    return [
        pod
        for pod in pods
        if pod["metadata"].get("labels", {}).get(labels.REVISION) == revision
        and is_ready(pod, CONTAINER)
    ]


async def _read(pods: list[Object], revision: str) -> tuple[Reading, float]:
    """One arm's pods now, and how many requests they work on."""
    mine = _ready(pods, revision)
    found = dict(zip(map(_uid, mine), await asyncio.gather(*map(_reading, mine)), strict=True))
    told = {uid: reading for uid, reading in found.items() if reading}
    missing = frozenset(found.keys() - told.keys())
    running = sum(reading.running for reading in told.values())
    return Reading(time.time(), {uid: _series(r) for uid, r in told.items()}, missing), running


def _uid(pod: Object) -> str:
    return str(pod["metadata"]["uid"])


async def _reading(pod: Object) -> measures.Reading | None:
    with metrics.WATCHED_PAGE_SECONDS.time():
        page = await read_page(pod["status"]["podIP"], ENGINE_PORT)
    found = _parsed(page, pod["metadata"]["labels"].get(labels.ENGINE)) if page else None
    result = "read" if found else "silent" if page is None else "foreign"
    metrics.WATCHED_PAGES.labels(result=result).inc()
    return found


def _parsed(page: str, engine: str | None) -> measures.Reading | None:
    if engine not in DIALECTS:
        return None
    try:
        return measures.read(page, DIALECTS[engine].measures)
    except ValueError:
        return None


def _series(reading: measures.Reading) -> Mapping[str, float | Mapping[float, float]]:
    return {
        REQUESTS: reading.requests,
        ERRORS: reading.errors,
        TOKENS: reading.generated_tokens,
        **{str(name): counts for name, counts in reading.histograms.items() if counts},
    }


def _with_throughput(arm: Arm, seconds: float, before: float, after: float) -> Arm:
    """Tokens a second for each request that was worked on: independent of how many there were."""
    running = (before + after) / 2
    tokens = arm.counts.get(TOKENS, 0.0)
    if not running or not tokens:
        return arm
    return replace(arm, values={**arm.values, THROUGHPUT: tokens / seconds / running})


def _with_values(window: Window, title: str, own: float | None, other: float | None) -> Window:
    def added(arm: Arm, value: float | None) -> Arm:
        return arm if value is None else replace(arm, values={**arm.values, title: value})

    return replace(window, canary=added(window.canary, own), stable=added(window.stable, other))
