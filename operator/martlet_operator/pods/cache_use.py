"""What pods had of their namespace's cache, as the operator's metrics."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from martlet_api.contract import CacheUse
from martlet_operator import metrics
from martlet_operator.inputs.cache import Cache
from martlet_operator.pods.stage import PREFLIGHT, STAGE
from martlet_operator.pods.states import container_statuses, parse_termination

Object = dict[str, Any]

_RESULTS = {"hits": "hit", "misses": "miss", "bypassed": "bypass"}
_REMEMBERED = 10_000
"""Pods; by then the oldest are long gone."""


class CacheCount:
    """Adds up what each container told at its end, once. What ended before this process ``since``
    then was another's to count."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._counted: dict[str, datetime] = {}

    def note(self, pods: list[Object], cache: Cache | None) -> None:
        if cache is None:
            return
        for result in _RESULTS.values() if pods else ():
            # From 0 on: Prometheus sees no increase in a counter that begins with 1.
            metrics.CACHE_INPUTS.labels(pods[0]["metadata"]["namespace"], cache.claim, result)
        for pod in pods:
            for ended, use in sorted(_uses(pod), key=lambda item: item[0]):
                self._add(pod["metadata"], cache.claim, ended, use)

    def _add(self, metadata: Object, claim: str, ended: datetime, use: CacheUse) -> None:
        place = {"namespace": metadata["namespace"], "claim": claim}
        uid = metadata["uid"]
        if ended <= self._counted.get(uid, self._since):
            return
        self._counted[uid] = ended
        if len(self._counted) > _REMEMBERED:
            del self._counted[next(iter(self._counted))]
        for field, result in _RESULTS.items():
            metrics.CACHE_INPUTS.labels(**place, result=result).inc(getattr(use, field))
        metrics.CACHE_SAVED_BYTES.labels(**place).inc(use.saved_bytes)
        metrics.CACHE_BROUGHT_BYTES.labels(**place).inc(use.brought_bytes)
        metrics.CACHE_EVICTIONS.labels(**place).inc(use.evicted)
        metrics.CACHE_EVICTED_BYTES.labels(**place).inc(use.evicted_bytes)
        metrics.CACHE_ENTRIES.labels(**place).set(use.entries)
        metrics.CACHE_BYTES.labels(**place).set(use.bytes)
        metrics.CACHE_LIMIT.labels(**place).set(use.limit_bytes)


def _uses(pod: Object) -> Iterator[tuple[datetime, CacheUse]]:
    for status in container_statuses(pod):
        ended = status.get("state", {}).get("terminated")
        if status["name"] in (PREFLIGHT, STAGE) and ended:
            told = parse_termination(ended.get("message", ""))
            if told and told.cache:
                yield datetime.fromisoformat(ended["finishedAt"]), told.cache
