"""Which rows are kept for validation."""

from __future__ import annotations

from typing import Any

import pytest

from martlet_api.contract import OutputPlan, TrainPlan
from martlet_api.finetunejob import Hyperparameters, Tuner, Validation
from martlet_api.runs import ArtifactBase
from martlet_runtime.train.flow import split

pytestmark = pytest.mark.torch


def plan(fraction: float | None, seed: int = 1) -> TrainPlan:
    return TrainPlan(
        method="SFT",
        tuner=Tuner(),
        hyperparameters=Hyperparameters(seed=seed),
        validation=None if fraction is None else Validation(fraction=fraction),
        precision="Auto",
        base=ArtifactBase(uri="pvc://models/base", digest="sha256:" + "0" * 64),
        output=OutputPlan(uri="pvc://models/x/r", record={}),
    )


def rows(count: int) -> list[dict[str, Any]]:
    return [{"messages": [], "number": number} for number in range(count)]


@pytest.mark.parametrize(
    ("count", "fraction", "kept"),
    [(10, None, 0), (10, 0.2, 2), (10, 0.01, 1), (10, 0.5, 5), (2, 0.5, 1), (1, 0.5, 0)],
)
def test_the_fraction_is_kept_and_training_has_a_row(
    count: int, fraction: float | None, kept: int
) -> None:
    training, validation = split(rows(count), plan(fraction))
    assert len(validation) == kept
    together = sorted(row["number"] for row in training + validation)
    assert together == list(range(count))


def test_the_same_seed_keeps_the_same_rows_and_another_others() -> None:
    first, again, other = (split(rows(50), plan(0.2, seed))[1] for seed in (1, 1, 2))
    assert first == again
    assert first != other
