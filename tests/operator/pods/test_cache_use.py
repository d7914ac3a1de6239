"""What pods had of the cache, added up once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from operator_builders import container_status, ended, pod, said
from prometheus_client import REGISTRY

from martlet_operator.inputs.cache import Cache
from martlet_operator.metrics import CACHE_BYTES, CACHE_INPUTS, CACHE_SAVED_BYTES
from martlet_operator.pods.cache_use import CacheCount

ENDED = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)
"""When the builders' containers end."""


def staged(name: str, **use: int) -> dict[str, Any]:
    told = json.dumps(said("stage", cache={"limitBytes": 1000, **use}))
    return pod({}, name=name, init=[container_status("stage", ended(0, told))])


def values(claim: str) -> dict[str, float]:
    place = {"namespace": "team", "claim": claim}
    inputs = {
        name: CACHE_INPUTS.labels(**place, result=name)._value.get()
        for name in ("hit", "miss", "bypass")
    }
    saved = CACHE_SAVED_BYTES.labels(**place)._value.get()
    return {**inputs, "saved": saved, "bytes": CACHE_BYTES.labels(**place)._value.get()}


def test_each_pod_counts_once() -> None:
    count, cache = CacheCount(ENDED - timedelta(hours=1)), Cache("once", 1000)
    first = staged("first", misses=1, broughtBytes=70, bytes=70)
    second = staged("second", hits=2, bypassed=1, savedBytes=140, bytes=80)
    for _ in range(3):
        count.note([first], cache)
        count.note([first, second], cache)
    assert values("once") == {"hit": 2, "miss": 1, "bypass": 1, "saved": 140, "bytes": 80}


def test_counts_begin_with_nought_where_there_is_a_cache() -> None:
    """Or the first input that had no room would be no increase."""
    place = {"namespace": "team", "claim": "new"}
    count = CacheCount(ENDED)
    count.note([], Cache("new", 1000))
    running = pod({}, init=[container_status("stage", {"running": {}})])
    name, told = "martlet_cache_inputs_total", {**place, "result": "bypass"}
    assert REGISTRY.get_sample_value(name, told) is None
    count.note([running], Cache("new", 1000))
    assert REGISTRY.get_sample_value(name, told) == 0


def test_what_ended_before_this_process_began_was_counted_by_another() -> None:
    count = CacheCount(ENDED + timedelta(seconds=1))
    count.note([staged("old", hits=1)], Cache("before", 1000))
    assert values("before")["hit"] == 0


def test_a_container_that_runs_or_says_nothing_counts_nothing() -> None:
    count, cache = CacheCount(ENDED - timedelta(hours=1)), Cache("silent", 1000)
    running = pod({}, init=[container_status("stage", {"running": {}})])
    silent = pod({}, init=[container_status("stage", ended(1, "Killed"))])
    count.note([running, silent], cache)
    assert values("silent")["hit"] == 0
