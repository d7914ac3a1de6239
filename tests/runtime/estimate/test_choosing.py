"""Which settings are chosen, by what each would need."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[3] / "bench"))

from small_models import make, plan_of

from martlet_api.conditions import Reason
from martlet_api.contract import EstimatePlan, Plan
from martlet_api.training import Tuner
from martlet_runtime import preflight
from martlet_runtime.errors import UserError
from martlet_runtime.estimate import flow
from martlet_runtime.estimate.choosing import alternatives, choose
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch

LORA, FULL = Tuner(), Tuner(type="Full")


def shared_needs(plan: EstimatePlan, setting: Setting) -> Memory:
    """Half of the weights where they are shared."""
    alone = needs(plan, setting)
    return replace(alone, weights=alone.weights // (1 if setting.strategy == "DDP" else 2))


@pytest.mark.parametrize(
    ("params", "room", "strategy", "rows", "fits"),
    [
        ({}, 300, "DDP", 4, True),
        ({}, 114, "FSDP", 1, True),  # without checkpointing, rather than DDP with less
        ({}, 60, "FSDP", 1, False),
        ({"strategy": "DDP"}, 114, "DDP", 1, False),
        ({"strategy": "ZeRO3"}, 300, "ZeRO3", 4, True),
        ({"processes": 1}, 114, "DDP", 1, False),
        ({"tuner": Tuner(loraplus_lr_ratio=16)}, 114, "DDP", 1, False),
        ({"method": "GKD"}, 114, "DDP", 1, False),
        ({}, None, "DDP", 1, None),
    ],
)
def test_a_strategy_is_chosen(
    params: dict[str, Any], room: int | None, strategy: str, rows: int, fits: bool | None
) -> None:
    plan = plan_of("SFT", LORA, max_length=2048).model_copy(update={"processes": 2, **params})
    choice = choose(plan, shared_needs, room)
    assert (choice.setting.strategy, choice.fits) == (strategy, fits)
    assert choice.setting.micro_batch_size == rows


def needs(plan: EstimatePlan, setting: Setting) -> Memory:
    """100 of weights, twice that again for Full; 40 a row of 2048 tokens, 10 with
    checkpointing."""
    rows = setting.micro_batch_size * plan.hyperparameters.max_length / 2048
    activations = int(rows * (10 if setting.gradient_checkpointing else 40))
    learning = {"Full": 200, "LoRA": 5, "QLoRA": 5}[plan.tuner.type]
    weights = 30 if plan.tuner.type == "QLoRA" else 100
    return Memory(weights, 0, learning, 0, activations)


@pytest.mark.parametrize(
    ("params", "room", "rows", "checkpointing", "fits"),
    [
        ({}, 1000, 16, False, True),
        ({}, 300, 4, False, True),
        ({}, 145, 1, False, True),
        ({}, 144, 2, True, True),
        ({}, 115, 1, True, True),
        ({}, 114, 1, True, False),
        ({"gradient_checkpointing": "Disabled"}, 144, 1, False, False),
        ({"gradient_checkpointing": "Enabled"}, 1000, 16, True, True),
        ({"micro_batch_size": 4}, 1000, 4, False, True),
        ({"micro_batch_size": 4}, 200, 4, True, True),
        ({"global_batch_size": 6}, 1000, 2, False, True),
        ({}, None, 1, False, None),
    ],
)
def test_what_is_chosen(
    params: dict[str, Any], room: int | None, rows: int, checkpointing: bool, fits: bool | None
) -> None:
    choice = choose(plan_of("SFT", LORA, **params), needs, room)
    assert choice.setting == Setting(rows, checkpointing)
    assert choice.fits is fits


def test_kto_has_two_rows_at_least() -> None:
    assert choose(plan_of("KTO", LORA), needs, None).setting.micro_batch_size == 2


@given(st.integers(1, 800), st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 64]))
def test_what_is_chosen_fits_and_divides(room: int, batch: int) -> None:
    choice = choose(plan_of("SFT", LORA, global_batch_size=batch), needs, room)
    assert batch % choice.setting.micro_batch_size == 0
    assert (choice.memory.total <= room) is choice.fits


def test_the_nearest_that_would_fit() -> None:
    found = list(alternatives(plan_of("SFT", FULL, max_length=512), needs, 110))
    assert found == [("tuner.type LoRA", 107), ("tuner.type QLoRA", 37)]
    shorter = [text for text, _ in alternatives(plan_of("SFT", LORA), needs, 108)]
    assert shorter == [
        "hyperparameters.maxLength 512",
        "hyperparameters.maxLength 256",
        "hyperparameters.maxLength 128",
        "tuner.type QLoRA",
    ]


def estimated(tmp_path: Path, capacity: int | None) -> Any:
    make(tmp_path / "inputs", 128, 2, 500)
    (tmp_path / "work").mkdir()
    plan = plan_of("SFT", FULL, max_length=512).model_copy(update={"capacity": capacity})
    paths = Paths(tmp_path / "inputs", tmp_path / "work")
    return flow.run(plan, paths, flow.tokenizer_of(plan, paths))


def test_an_estimate_says_what_was_chosen_and_of_what_it_is_made(tmp_path: Path) -> None:
    found = estimated(tmp_path, 4 << 30)
    assert (found.precision, found.micro_batch_size, found.available) == ("FP32", 16, 4 << 30)
    assert found.per_accelerator == sum(found.breakdown.values())
    assert found.breakdown["gradients"] == pytest.approx(found.breakdown["weights"], rel=0.01)


def test_what_cannot_fit_is_refused_with_numbers_and_a_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        estimated(tmp_path, (1200 << 20) + (60 << 20))
    assert caught.value.reason == Reason.INSUFFICIENT_MEMORY
    message = caught.value.message
    assert "Training needs 1.25 GiB and the container has 1.23 GiB: weights 2 MiB" in message
    assert "What would fit: hyperparameters.maxLength 256" in message


@pytest.mark.parametrize(
    ("error", "told"),
    [(KeyError("odd"), "KeyError: 'odd'"), (UserError(Reason.MODEL_INVALID, "no"), None)],
)
def test_an_estimate_that_fails_is_told_and_holds_nothing_up(
    error: Exception, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what is wrong with the user's model is an error, here as in training."""
    make(tmp_path / "volumes/models", 128, 2, 500)
    (tmp_path / "volumes/models/base").symlink_to(tmp_path / "volumes/models/model")
    paths = Paths(tmp_path / "inputs", tmp_path / "work", tmp_path / "volumes")
    for folder in (paths.inputs, paths.work):
        folder.mkdir()
    plan = Plan(kind="FineTuneJob", namespace="n", name="x", run="r", estimate=plan_of("SFT", LORA))

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(flow, "rehearse", fail)
    if told is None:
        with pytest.raises(UserError):
            preflight.run(plan, paths, Report())
        return
    ended = preflight.run(plan, paths, Report())
    assert ended.succeeded
    assert ended.estimate is None
    assert ended.estimate_failure == told
