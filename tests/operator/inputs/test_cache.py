"""Which claim of a namespace is its cache, and how much of it may be used."""

from typing import Any

import pytest

from martlet_api import labels
from martlet_api.references import ModelSource
from martlet_operator.inputs.cache import Cache, cache_of
from martlet_operator.inputs.wanted import gather

Object = dict[str, Any]
GI = 1 << 30


def claim(
    name: str = "cache", size: str = "100Gi", *, limit: str | None = None, **metadata: Any
) -> Object:
    notes = {labels.CACHE_LIMIT: limit} if limit else {}
    return {
        "metadata": {"name": name, "namespace": "team", "annotations": notes, **metadata},
        "spec": {"resources": {"requests": {"storage": size}}},
        "status": {},
    }


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ([], None),
        ([claim()], Cache("cache", 90 * GI)),
        ([claim(limit="40Gi")], Cache("cache", 40 * GI)),
        ([{**claim(), "status": {"capacity": {"storage": "200Gi"}}}], Cache("cache", 180 * GI)),
        ([claim("b"), claim("a", "10Gi")], Cache("a", 9 * GI)),
        ([claim("a", deletionTimestamp="now"), claim("b")], Cache("b", 90 * GI)),
        ([claim("a", limit="plenty"), claim("b")], Cache("b", 90 * GI)),
    ],
)
def test_the_claim(claims: list[Object], found: Cache | None) -> None:
    assert cache_of(claims) == found


def test_a_limit_that_cannot_be_read_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert cache_of([claim(limit="plenty")]) is None
    assert "team/cache is not used as a cache" in caplog.text
    assert labels.CACHE_LIMIT in caplog.text


@pytest.mark.parametrize(
    ("uri", "kept"),
    [("hf://org/m", True), ("ms://org/m", True), ("s3://b/m", True), ("pvc://c/m", False),
     ("file:///m", False)],
)  # fmt: skip
def test_only_what_is_brought_from_elsewhere_is_kept(uri: str, kept: bool) -> None:
    cache = Cache("cache", GI)
    inputs = gather(ModelSource(uri=uri), None, [], [], cache)
    assert inputs.cache == (cache if kept else None)
