"""What a process of several holds, by what one alone would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from martlet_api.training import Strategy
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.sharing import Parts, Units, shared

pytestmark = pytest.mark.torch

ALONE = Memory(weights=1000, adapter=40, gradients=40, optimizer=80, activations=500)
UNITS = Units(
    layer=100, layer_learning=4, end=50, end_learning=0,
    numbers=260, learning_numbers=10, number_bytes=4,
)  # fmt: skip
PARTS = Parts(ends=500, layers=200)


@pytest.mark.parametrize(
    ("strategy", "held"),
    [
        ("DDP", Memory(1000, 40, 80, 80, 500)),
        ("FSDP", Memory(500, 20, 20, 40, 500 + 50 + 100)),
        ("ZeRO2", Memory(1000, 40, 20 + 4, 40 + 20, 500)),
        ("ZeRO3", Memory(500, 20, 20, 40 + 20, 500 + 1040 + 8)),
    ],
)
def test_two_processes(strategy: Strategy, held: Memory) -> None:
    setting = Setting(1, False, strategy)
    assert shared(ALONE, setting, 2, UNITS, PARTS) == held
    assert shared(ALONE, setting, 1, UNITS, PARTS) == ALONE


@pytest.mark.parametrize(
    ("parts", "learning", "end", "held"),
    [
        (Parts(500, 200), 4, 0, 500 + 50 + 100),
        (Parts(500, 490), 4, 0, 490 + 2 * 100 + 2 * 4),
        (Parts(500, 490), 100, 50, 490 + 2 * 100 + 2 * 100),
        (Parts(500, 490), 10, 150, 490 + 100 + 2 * 150),
        (Parts(500, 490), 40, 70, 490 + 2 * 100 + 70 + 40),
    ],
)
def test_of_what_fsdp_gathers_the_fuller_part_of_a_step_counts(
    parts: Parts, learning: int, end: int, held: int
) -> None:
    units = replace(UNITS, layer_learning=learning, end_learning=end)
    found = shared(ALONE, Setting(1, False, "FSDP"), 2, units, parts)
    assert found.activations == held


@given(st.sampled_from(["FSDP", "ZeRO2", "ZeRO3"]), st.integers(2, 64))
def test_more_processes_never_hold_more_each(strategy: Strategy, processes: int) -> None:
    setting = Setting(1, True, strategy)
    fewer, more = (
        shared(ALONE, setting, count, UNITS, PARTS) for count in (processes, 2 * processes)
    )
    assert more.total <= fewer.total
