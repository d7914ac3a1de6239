"""What a QuantizedModel says of a run that ended."""

from typing import Any

import pytest
from operator_builders import NOW, artifact, spec_of, work_told

from martlet_api.contract import Termination
from martlet_api.quantizedmodel import QuantizedModelSpec, QuantizedModelStatus, RungResult
from martlet_operator.batch.kind import Finished
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.quantizedmodel import desired, status

INPUTS = Inputs(None, [], [], [], ())


def finished(**changes: Any) -> Finished:
    """``changes`` are of the result."""
    told = work_told("QuantizedModel")
    told["quantize"] |= changes
    return Finished(Termination.model_validate(told), INPUTS, "r1", NOW)


def spec(**changes: Any) -> QuantizedModelSpec:
    return QuantizedModelSpec.model_validate(spec_of("QuantizedModel", **changes))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (16, "Calibrated on 16 rows: there were no 256, as calibration.samples asks."),
        (256, None),
        (None, None),
    ],
)
def test_fewer_rows_than_asked_for_are_told_and_no_failure(
    rows: int | None, says: str | None
) -> None:
    outcome = status.outcome(spec(), finished(calibrationRows=rows))
    assert outcome.ready.status == "True"
    assert outcome.update["calibration_rows"] == rows
    if says:
        assert outcome.ready.message.endswith(says)
    else:
        assert "Calibrated" not in outcome.ready.message


def test_the_status_has_all_that_the_run_found() -> None:
    found = {
        "ladderReason": "Chosen for Online.",
        "baselineTokensPerSecond": 100.5,
        "merged": artifact("merged"),
    }
    update = status.outcome(spec(), finished(**found)).update
    assert update["ladder_reason"] == "Chosen for Online."
    assert update["baseline_tokens_per_second"] == 100.5
    assert update["merged"].uri == "pvc://models/merged"
    assert status.findings(finished(**found).told).keys() == update.keys() - {
        "chosen", "artifact", "progress",
    }  # fmt: skip


@pytest.mark.parametrize("ladder", [None, [{"method": "AWQ", "groupSize": 64}]])
def test_the_pod_is_told_the_workload_and_the_ladder_if_there_is_one(ladder: Any) -> None:
    wanted = spec(ladder=ladder, workload="Offline")
    live = {"kind": "QuantizedModel", "metadata": {"name": "q", "namespace": "n"}}
    plan = desired.plan(live, wanted, QuantizedModelStatus(), INPUTS, "r1").quantize
    assert plan is not None
    assert (plan.workload, plan.ladder) == ("Offline", wanted.ladder)


@pytest.mark.parametrize(
    ("rung", "says"),
    [
        (
            RungResult(method="GPTQ", bits=4, group_size=32, passed=True, increase_percent=1.5),
            "GPTQ (4 bits, groups of 32) raises perplexity by 1.50 %",
        ),
        (RungResult(method="FP8", passed=True, increase_percent=0.1), "FP8 raises perplexity by"),
        (RungResult(method="W8A16", passed=False, message="No CPU."), "W8A16: No CPU."),
    ],
)
def test_a_rung_in_a_few_words(rung: RungResult, says: str) -> None:
    assert status.describe(rung).startswith(says)
