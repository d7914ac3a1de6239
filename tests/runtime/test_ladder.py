"""The ladder that is climbed where the spec names none."""

from __future__ import annotations

from typing import cast

import pytest

from martlet_api.quantizedmodel import Workload
from martlet_runtime.engines.formats import Processor
from martlet_runtime.quantize import ladder

OLD_CPU, NEW_CPU = Processor(frozenset({"avx2"})), Processor(frozenset({"avx2", "avx512f"}))
V100, T4, L4, UNKNOWN = (Processor(None, capability) for capability in (70, 75, 89, None))


@pytest.mark.parametrize(
    ("workload", "where", "rungs"),
    [
        ("Online", NEW_CPU, "AWQ AutoRound W8A8 FP8"),
        ("Offline", NEW_CPU, "GPTQ AutoRound W8A8 FP8"),
        ("Online", OLD_CPU, "W8A8 FP8"),
        ("Offline", OLD_CPU, "W8A8 FP8"),
        ("Online", T4, "AWQ AutoRound W8A8 FP8 W8A16"),
        ("Offline", L4, "GPTQ AutoRound FP8 W8A8 W8A16"),
        ("Online", UNKNOWN, "AWQ AutoRound FP8 W8A8 W8A16"),
        ("Online", V100, ""),
    ],
)
def test_the_workload_chooses_the_first_rung_and_the_processor_the_rest(
    workload: str, where: Processor, rungs: str
) -> None:
    chosen, reason = ladder.choose(cast("Workload", workload), where)
    assert [rung.method for rung in chosen] == rungs.split()
    assert len(reason) <= 600
    assert reason.startswith(f"Chosen for {workload} (")


def test_the_reason_says_what_was_left_out_and_why() -> None:
    _, reason = ladder.choose("Online", OLD_CPU)
    assert reason.startswith(
        "Chosen for Online (AWQ first for requests whose lengths change): W8A8, FP8. Without AWQ "
        "and AutoRound: vLLM 0.32.0 serves packed 4-bit weights on a CPU only with avx512f, which "
    )
    assert reason.endswith("Without W8A16: vLLM 0.32.0 serves packed 8-bit weights on no CPU.")


def test_a_ladder_of_the_spec_is_taken_as_it_is() -> None:
    rungs, _ = ladder.choose("Offline", L4)
    assert ladder.given(rungs) == (rungs, "As spec.ladder gives it.")
