"""Which rows of several data sets make an epoch, and which are kept for validation."""

import random
from collections.abc import Sequence


def mixed(counts: Sequence[int], weights: Sequence[float] | None, seed: int) -> list[int]:
    """Positions in the data sets laid end to end, ``counts`` rows each, for one epoch.

    Without weights, every row once. With them, an epoch is as long as all rows together, and each
    data set has its weight's share of it: rows are drawn without repetition until all have been
    drawn as often. The same seed draws the same rows.
    """
    if weights is None:
        return list(range(sum(counts)))
    rng, out, start = random.Random(seed), [], 0  # noqa: S311
    for count, share in zip(counts, _shares(sum(counts), weights), strict=True):
        out += [start + row for row in _drawn(count, share, rng)]
        start += count
    return out


def split(rows: Sequence[int], fraction: float | None, seed: int) -> tuple[list[int], list[int]]:
    """(training, validation): the same rows for the same seed; at least one row each. A row that
    is drawn more than once is on one side alone."""
    distinct = list(dict.fromkeys(rows))
    if fraction is None:
        return list(rows), []
    kept = min(max(1, round(len(distinct) * fraction)), len(distinct) - 1)
    random.Random(seed).shuffle(distinct)  # noqa: S311
    place = {row: index for index, row in enumerate(distinct)}
    training = sorted((row for row in rows if place[row] >= kept), key=place.__getitem__)
    return training, distinct[:kept]


def _shares(total: int, weights: Sequence[float]) -> list[int]:
    """Rows of each data set, at least one."""
    return [max(1, round(total * weight / sum(weights))) for weight in weights]


def _drawn(count: int, share: int, rng: random.Random) -> list[int]:
    whole, rest = divmod(share, count)
    return [*list(range(count)) * whole, *sorted(rng.sample(range(count), rest))]
