"""What an engine's metrics page tells, as a table, and the reading of one page by it.

The names differ from engine to engine, and so does what they mean: each engine's table stands in
its own module, with the file that it was read from.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

GuardMetric = Literal[
    "ErrorRate", "TimeToFirstToken", "InterTokenLatency", "EndToEndLatency", "Throughput"
]
"""What a guard may watch; an engine need not tell all of it."""
GUARD_METRICS: tuple[GuardMetric, ...] = get_args(GuardMetric)

GENERATES = r"/v1/(chat/completions|completions|responses|messages)"
"""The paths whose answers are generated, as an HTTP framework labels them."""
ANSWERED, FAILED = r"2..|5..", r"5.."
"""HTTP statuses, whole or by their first digit. What a client did wrong (4xx) is neither a
request that was answered nor a failure of the engine."""


@dataclass(frozen=True)
class Series:
    """All samples of a name whose labels match: patterns of whole values, by label."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, sample: Sample) -> bool:
        return sample.name == self.name and all(
            re.fullmatch(pattern, sample.labels.get(label, ""))
            for label, pattern in self.labels.items()
        )


@dataclass(frozen=True)
class Measures:
    """One engine's names. Each tuple is summed; of ``cache_use`` the largest counts.

    ``requests`` that came to an end, well or badly, ``errors`` those that failed, and
    ``generated_tokens`` only grow; ``running`` and ``waiting`` requests and ``cache_use``, the used
    part of the cache of keys and values (1 is all), go up and down. ``histograms`` are in seconds.
    ``prefix`` begins the engine's own names.
    """

    prefix: str
    requests: tuple[Series, ...]
    errors: tuple[Series, ...]
    generated_tokens: tuple[Series, ...]
    running: tuple[Series, ...]
    waiting: tuple[Series, ...]
    cache_use: tuple[Series, ...]
    histograms: Mapping[GuardMetric, Series]

    @property
    def offered(self) -> frozenset[GuardMetric]:
        """The guards that these names are enough for."""
        counted: dict[GuardMetric, bool] = {
            "ErrorRate": bool(self.requests and self.errors),
            "Throughput": bool(self.generated_tokens),
        }
        return frozenset([*(name for name, told in counted.items() if told), *self.histograms])


@dataclass(frozen=True)
class Reading:
    """One page of one pod.

    ``requests``, ``errors``, ``generated_tokens`` and the histograms' counts are since the engine's
    start: windows are differences of two readings. A histogram maps each bucket's upper edge, in
    seconds, to the count of all that is at most as large; the last edge is infinity.
    """

    requests: float
    errors: float
    generated_tokens: float
    histograms: Mapping[GuardMetric, Mapping[float, float]]
    running: float
    waiting: float
    cache_use: float = 0.0


def read(page: str, measures: Measures) -> Reading:
    """Reads a page in Prometheus' text format; ValueError if it is none, or another engine's.

    What an engine has not counted yet may be missing on its page, and is zero.
    """
    samples = list(_samples(page))
    if not any(sample.name.startswith(measures.prefix) for sample in samples):
        raise ValueError(f"the page has no metric that begins with {measures.prefix}")
    return Reading(
        requests=_sum(samples, measures.requests),
        errors=_sum(samples, measures.errors),
        generated_tokens=_sum(samples, measures.generated_tokens),
        histograms={
            name: _cumulative(samples, series) for name, series in measures.histograms.items()
        },
        running=_sum(samples, measures.running),
        waiting=_sum(samples, measures.waiting),
        cache_use=max(_values(samples, measures.cache_use), default=0.0),
    )


def _samples(page: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(page):
        yield from family.samples


def _sum(samples: list[Sample], wanted: tuple[Series, ...]) -> float:
    return sum(_values(samples, wanted))


def _values(samples: list[Sample], wanted: tuple[Series, ...]) -> list[float]:
    return [sample.value for sample in samples if any(sample in series for series in wanted)]


def _cumulative(samples: list[Sample], series: Series) -> dict[float, float]:
    """The buckets of a histogram, summed over its other labels, by rising edges."""
    buckets = Series(f"{series.name}_bucket", series.labels)
    counts: dict[float, float] = {}
    for sample in samples:
        if sample in buckets:
            edge = float(sample.labels["le"])
            counts[edge] = counts.get(edge, 0.0) + sample.value
    return dict(sorted(counts.items()))
