"""Which rows make an epoch, and which are kept for validation."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_runtime.data.mixing import mixed, split

COUNTS = st.lists(st.integers(1, 60), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("count", "fraction", "kept"),
    [(10, None, 0), (10, 0.2, 2), (10, 0.01, 1), (10, 0.5, 5), (2, 0.5, 1), (1, 0.5, 0)],
)
def test_the_fraction_is_kept_and_training_has_a_row(
    count: int, fraction: float | None, kept: int
) -> None:
    training, validation = split(range(count), fraction, 1)
    assert len(validation) == kept
    assert sorted(training + validation) == list(range(count))


def test_the_same_seed_keeps_the_same_rows_and_another_others() -> None:
    first, again, other = (split(range(50), 0.2, seed)[1] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_row_that_is_drawn_twice_is_on_one_side_alone() -> None:
    training, validation = split([0, 1, 2, 3] * 3, 0.5, 1)
    assert not set(training) & set(validation)
    assert sorted(training) == sorted(list(set(training)) * 3)


@given(COUNTS)
def test_without_weights_every_row_comes_once_and_in_order(counts: list[int]) -> None:
    assert mixed(counts, None, 1) == list(range(sum(counts)))


@given(COUNTS, st.data(), st.integers(0, 9))
def test_shares_follow_the_weights_and_rows_repeat_evenly(
    counts: list[int], data: st.DataObject, seed: int
) -> None:
    weights = data.draw(st.lists(st.floats(0.1, 10), min_size=len(counts), max_size=len(counts)))
    drawn = Counter(mixed(counts, weights, seed))
    start = 0
    for count, weight in zip(counts, weights, strict=True):
        own = [drawn[row] for row in range(start, start + count)]
        assert sum(own) == max(1, round(sum(counts) * weight / sum(weights)))
        assert max(own) - min(own) <= 1
        start += count


def test_another_seed_draws_other_rows() -> None:
    assert mixed([50, 50], [1, 3], 1) == mixed([50, 50], [1, 3], 1)
    assert mixed([50, 50], [1, 3], 1) != mixed([50, 50], [1, 3], 2)
