"""What a process of several holds, by what one alone would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from martlet_api.training import Strategy
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.sharing import Units, shared
from martlet_runtime.estimate.step import Step

pytestmark = pytest.mark.torch

ALONE = Memory(weights=1000, adapter=40, gradients=40, optimizer=80, activations=500)
UNITS = Units(
    layer=100, layer_learning=4, end=50, end_learning=0,
    numbers=260, learning_numbers=10, number_bytes=4,
)  # fmt: skip
STEP = Step(ends=500, layers=200)


@pytest.mark.parametrize(
    ("strategy", "held"),
    [
        ("DDP", Memory(1000, 40, 80, 80, 500)),
        ("FSDP", Memory(500, 20, 20, 40, 500 + 50 + 100)),
        ("ZeRO2", Memory(1000, 40, 20, 40 + 20, 500)),
        ("ZeRO3", Memory(500, 20, 20, 40 + 20, 500 + 1040)),
    ],
)
def test_two_processes(strategy: Strategy, held: Memory) -> None:
    setting = Setting(1, False, strategy)
    assert shared(ALONE, setting, 2, UNITS, STEP) == held
    assert shared(ALONE, setting, 1, UNITS, STEP) == ALONE


@pytest.mark.parametrize(
    ("strategy", "step", "learning", "end", "held"),
    [
        ("FSDP", Step(500, 200), 4, 0, 500 + 50 + 100),
        ("FSDP", Step(500, 490), 4, 0, 490 + 2 * 100 + 2 * 4),
        ("FSDP", Step(500, 490), 100, 50, 490 + 2 * 100 + 2 * 100),
        ("FSDP", Step(500, 490), 10, 150, 490 + 100 + 2 * 150),
        ("FSDP", Step(500, 490), 40, 70, 490 + 2 * 100 + 70 + 40),
        ("ZeRO2", Step(500, 200), 100, 50, 500),
        ("ZeRO2", Step(500, 490), 100, 50, 490 + 50 + 100),
        ("ZeRO3", Step(500, 490), 100, 50, 490 + 1040 + 50 + 2 * 100),
        ("ZeRO3", Step(500, 200, runs=2), 4, 0, 500 + 50),
        ("ZeRO3", Step(500, 490, runs=2), 100, 50, 490 + 100 + 50 + 2 * 100),
    ],
)
def test_of_what_is_gathered_the_fuller_part_of_a_step_counts(
    strategy: Strategy, step: Step, learning: int, end: int, held: int
) -> None:
    units = replace(UNITS, layer_learning=learning, end_learning=end)
    assert shared(ALONE, Setting(1, False, strategy), 2, units, step).activations == held


@given(st.sampled_from(["FSDP", "ZeRO2", "ZeRO3"]), st.integers(2, 64))
def test_more_processes_never_hold_more_each(strategy: Strategy, processes: int) -> None:
    setting = Setting(1, True, strategy)
    fewer, more = (
        shared(ALONE, setting, count, UNITS, STEP) for count in (processes, 2 * processes)
    )
    assert more.total <= fewer.total
