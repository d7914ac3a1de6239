"""What a training run's metrics page becomes in its status."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from martlet_api import contract
from martlet_api.finetunejob import Checkpoint, FineTuneJobSpec
from martlet_operator.finetunejob import status

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RESOURCE = {"metadata": {"name": "tune"}}
SPEC = FineTuneJobSpec.model_validate(
    {
        "model": {"uri": "pvc://models/base"},
        "datasets": [{"uri": "pvc://data/train.jsonl"}],
        "output": {"uri": "pvc://out/team/"},
    }
)


def test_no_checkpoint_is_told_before_the_first() -> None:
    assert status.kept(RESOURCE, SPEC, "r1", {contract.METRIC_STEP: 3}) == {}


def test_the_newest_checkpoint_is_told_with_its_folder() -> None:
    page = {contract.METRIC_CHECKPOINT_STEP: 500.0}
    uri = "pvc://out/team/tune/r1-checkpoints/checkpoint-500"
    assert status.kept(RESOURCE, SPEC, "r1", page) == {"checkpoint": Checkpoint(step=500, uri=uri)}


@pytest.mark.parametrize(("memory", "told"), [(None, None), (1.5e9, 1_500_000_000)])
def test_memory_is_told_in_bytes(memory: float | None, told: int | None) -> None:
    page = {contract.METRIC_STEP: 1.0, contract.METRIC_TOTAL_STEPS: 2.0}
    if memory is not None:
        page[contract.METRIC_TRAIN_MEMORY] = memory
    found = status.progress(page, NOW)
    assert found is not None
    assert found[0].memory_bytes == told


@pytest.mark.parametrize(
    ("elapsed", "left"),
    [(2.0, "about 18 s left"), (100.0, "about 15 min left"), (1680.0, "about 4 h 12 min left")],
)
def test_the_sentence_says_how_long_it_will_take(elapsed: float, left: str) -> None:
    page = {
        contract.METRIC_STEP: 10.0,
        contract.METRIC_TOTAL_STEPS: 100.0,
        contract.METRIC_LOSS: 1.3,
        contract.METRIC_ELAPSED: elapsed,
    }
    found = status.progress(page, NOW)
    assert found is not None
    assert found[1] == f"Step 10 of 100, loss 1.3, {left}."
