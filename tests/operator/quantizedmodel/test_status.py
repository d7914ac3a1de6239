"""What a QuantizedModel says of a run that ended."""

from typing import Any

import pytest
from operator_builders import NOW, artifact, digest, spec_of, verify_told, work_told

from martlet_api.contract import Termination
from martlet_api.quantizedmodel import QuantizedModelSpec, QuantizedModelStatus, RungResult
from martlet_operator.batch.kind import Finished
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.quantizedmodel import desired, status

INPUTS = Inputs(None, [], [], [], ())


def finished(**changes: Any) -> Finished:
    """The ladder; ``changes`` are of the result."""
    told = work_told("QuantizedModel")
    told["quantize"] |= changes
    return Finished(Termination.model_validate(told), INPUTS, "r1", NOW)


def answered(**changes: Any) -> Finished:
    """The engine; ``changes`` are of the result."""
    return Finished(Termination.model_validate(verify_told(**changes)), INPUTS, "r1", NOW)


def ended(ladder: Finished, engine: Finished | None = None) -> QuantizedModelStatus:
    """The status once both are done."""
    found = QuantizedModelStatus().model_copy(update=status.compressed(ladder))
    return found.model_copy(update=status.verified(found, engine or answered()))


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
    found = ended(finished(calibrationRows=rows))
    outcome = status.outcome(spec(), found)
    assert outcome.ready.status == "True"
    assert found.calibration_rows == rows
    if says:
        assert f" {says} " in outcome.ready.message
    else:
        assert "Calibrated" not in outcome.ready.message


def test_the_status_has_all_that_the_run_found() -> None:
    found = {
        "ladderReason": "Chosen for Online.",
        "baselineTokensPerSecond": 100.5,
        "merged": artifact("merged"),
    }
    update = status.compressed(finished(**found))
    assert update["ladder_reason"] == "Chosen for Online."
    assert update["baseline_tokens_per_second"] == 100.5
    assert update["merged"].uri == "pvc://models/merged"
    assert status.findings(finished(**found).told).keys() == update.keys() - {
        "chosen", "candidate", "progress",
    }  # fmt: skip


def test_what_was_compressed_is_no_artifact_before_the_engine_has_answered() -> None:
    update = status.compressed(finished())
    assert "artifact" not in update
    assert update["candidate"].digest == digest("made")
    assert update["candidate"].run == "r1"


def test_the_candidate_becomes_the_artifact_with_who_answered() -> None:
    found = ended(finished())
    assert found.candidate is None
    assert found.artifact is not None
    assert found.verified is not None
    assert found.verified.to_dict() == {
        "digest": found.artifact.digest,
        "engine": "vLLM",
        "version": "0.32.0",
        "image": "vllm-cpu:1",
        "secondsToFirstAnswer": 41.3,
        "chat": True,
        "at": "2026-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.32.0", "vLLM 0.32.0 answered with it 41 s after its pod began."),
        (None, "vLLM answered with it 41 s after its pod began."),
    ],
)
def test_the_end_says_who_answered(version: str | None, says: str) -> None:
    outcome = status.outcome(spec(), ended(finished(), answered(version=version)))
    assert outcome.ready.message == f"W8A8 raises perplexity by 1.50 %; 100 bytes of 400. {says}"


def test_a_run_from_before_engines_were_asked_has_ended() -> None:
    found = QuantizedModelStatus().model_copy(update=status.compressed(finished()))
    before = found.model_copy(update={"artifact": found.candidate, "candidate": None})
    assert status.has_ended(before, "r1")
    assert not status.has_ended(before, "r2"), "the artifact is a former run's"
    assert status.outcome(spec(), before).ready.message.endswith("100 bytes of 400.")


@pytest.mark.parametrize("ladder", [None, [{"method": "AWQ", "groupSize": 64}]])
def test_the_pod_is_told_the_workload_and_the_ladder_if_there_is_one(ladder: Any) -> None:
    wanted = spec(ladder=ladder, workload="Offline")
    live = {"kind": "QuantizedModel", "metadata": {"name": "q", "namespace": "n"}}
    plan = desired.plan(live, wanted, INPUTS, "r1").quantize
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
