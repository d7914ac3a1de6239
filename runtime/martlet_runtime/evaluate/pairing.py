"""Two scorings row by row. Pure.

The covariance is that of both suites' scores, so that the variance of their difference can be told:
of means over rows it is the rows' sample covariance over their number. A perplexity is exp of a
ratio of sums over windows; its covariance is that of the linearized ratios, times both perplexities
(the delta method), as its standard error is.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from martlet_api.evalrun import PERPLEXITY, Pairing
from martlet_runtime.evaluate.samples import Sample

SURPRISE = "surprise"
"""Of a window: the sum of its tokens' negative log-probabilities, in nats; less is better."""
Pair = tuple[Sample, Sample]


@dataclass(frozen=True)
class Changed:
    """A row that both were asked, with its score in one metric."""

    metric: str
    before: float
    after: float
    baseline: Sample
    model: Sample


def pairs_of(model: Iterable[Sample], baseline: Iterable[Sample]) -> list[Pair]:
    """(model's, baseline's) rows that were asked the same."""
    former = {(row.suite, row.id, row.asked_digest): row for row in baseline}
    found = ((row, former.get((row.suite, row.id, row.asked_digest))) for row in model)
    return [(row, other) for row, other in found if other]


def pairings(pairs: list[Pair]) -> list[Pairing]:
    """By suite and metric; of fewer than two rows nothing can be told."""
    named: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        for metric in pair[0].scores.keys() & pair[1].scores.keys():
            named.setdefault((pair[0].suite, metric), []).append(pair)
    return [_pairing(*name, found) for name, found in sorted(named.items()) if len(found) > 1]


def changed(pairs: list[Pair]) -> list[Changed]:
    """Rows whose main score changed: those that got worse come first, the worst of them first."""
    rows = [_change(model, baseline) for model, baseline in pairs]
    return sorted((row for row in rows if row and row.before != row.after), key=_gain)


def _change(model: Sample, baseline: Sample) -> Changed | None:
    metric = next((name for name in model.scores if name in baseline.scores), None)
    if metric is None:
        return None
    return Changed(metric, baseline.scores[metric], model.scores[metric], baseline, model)


def _gain(row: Changed) -> float:
    gain = row.after - row.before
    return -gain if row.metric == SURPRISE else gain


def _pairing(suite: str, metric: str, pairs: list[Pair]) -> Pairing:
    own = [model.scores[metric] for model, _ in pairs]
    former = [baseline.scores[metric] for _, baseline in pairs]
    sign = -1 if metric == SURPRISE else 1
    gains = [sign * (a - b) for a, b in zip(own, former, strict=True)]
    weights = [model.weight for model, _ in pairs]
    told = _of_perplexities if metric == SURPRISE else _of_means
    return Pairing(
        suite=suite,
        metric=PERPLEXITY if metric == SURPRISE else metric,
        rows=len(pairs),
        worse=sum(gain < 0 for gain in gains),
        better=sum(gain > 0 for gain in gains),
        covariance=told(own, former, weights),
    )


def _of_means(own: list[float], former: list[float], _: list[float]) -> float:
    count = len(own)
    means = math.fsum(own) / count, math.fsum(former) / count
    products = ((a - means[0]) * (b - means[1]) for a, b in zip(own, former, strict=True))
    return math.fsum(products) / (count - 1) / count


def _of_perplexities(own: list[float], former: list[float], weights: list[float]) -> float:
    count, total = len(own), math.fsum(weights)
    means = [math.fsum(values) / total for values in (own, former)]
    rests = [
        [value - mean * weight for value, weight in zip(values, weights, strict=True)]
        for values, mean in zip((own, former), means, strict=True)
    ]
    products = math.fsum(a * b for a, b in zip(*rests, strict=True))
    return math.exp(sum(means)) * count / (count - 1) * products / total**2
