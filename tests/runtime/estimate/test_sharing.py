"""What a process of several holds, by what one alone would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from martlet_api.training import Strategy
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.sharing import Units, shared

pytestmark = pytest.mark.torch

ALONE = Memory(weights=1000, adapter=40, gradients=40, optimizer=80, activations=500)
UNITS = Units(
    layer=100, layer_learning=4, end=50, end_learning=0,
    numbers=260, learning_numbers=10, number_bytes=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("strategy", "held"),
    [
        ("DDP", Memory(1000, 40, 80, 80, 500)),
        ("FSDP", Memory(500, 20, 20, 40, 500 + 100 + 50 + 8)),
        ("ZeRO2", Memory(1000, 40, 20 + 4, 40 + 20, 500)),
        ("ZeRO3", Memory(500, 20, 20, 40 + 20, 500 + 1040 + 8)),
    ],
)
def test_two_processes(strategy: Strategy, held: Memory) -> None:
    setting = Setting(1, False, strategy)
    assert shared(ALONE, setting, 2, UNITS) == held
    assert shared(ALONE, setting, 1, UNITS) == ALONE


@given(st.sampled_from(["FSDP", "ZeRO2", "ZeRO3"]), st.integers(2, 64))
def test_more_processes_never_hold_more_each(strategy: Strategy, processes: int) -> None:
    setting = Setting(1, True, strategy)
    fewer, more = (shared(ALONE, setting, count, UNITS) for count in (processes, 2 * processes))
    assert more.total <= fewer.total
