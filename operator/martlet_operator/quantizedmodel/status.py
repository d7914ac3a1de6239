"""What a quantization run says: its rungs, the one that was kept, and who answered with it."""

from datetime import datetime
from typing import Any

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import QuantizeResult, Termination
from martlet_api.quantizedmodel import (
    QuantizedModelSpec,
    QuantizedModelStatus,
    QuantizeProgress,
    RungResult,
    Verified,
)
from martlet_operator.batch.kind import Finished, Outcome
from martlet_operator.batch.output import model_artifact
from martlet_operator.conditions.fold import Ready, timestamp


def progress(gauges: dict[str, float], now: datetime) -> tuple[QuantizeProgress, str] | None:
    """None until the first rung is tried."""
    total = int(gauges.get(contract.METRIC_RUNGS, 0))
    if not total:
        return None
    rung = int(gauges.get(contract.METRIC_RUNG, 0))
    figures = QuantizeProgress(rung=rung, rungs=total, updated_at=timestamp(now))
    return figures, f"Tries rung {rung} of {total}."


def compressed(finished: Finished) -> dict[str, Any]:
    """The first rung within the gate; a pod that found none says so by its exit code. What it wrote
    is no artifact before the engine has answered with it."""
    result = finished.told.quantize
    assert result is not None
    assert result.artifact is not None
    trained_on = finished.inputs.model.trained_on if finished.inputs.model else ()
    return {
        "chosen": next(rung for rung in result.rungs if rung.passed),
        **_found(result),
        "candidate": model_artifact(result.artifact, finished.run, trained_on),
        "progress": None,
    }


def verified(status: QuantizedModelStatus, finished: Finished) -> dict[str, Any]:
    """The candidate as the artifact, and by whom: never the one without the other."""
    told, candidate = finished.told.verify, status.candidate
    assert told is not None
    assert candidate is not None
    answered = Verified(
        digest=candidate.digest,
        engine=told.engine,
        version=told.version,
        image=told.image,
        seconds_to_first_answer=round(told.seconds, 1),
        chat=told.chat,
        at=timestamp(finished.now),
    )
    return {"artifact": candidate, "verified": answered, "candidate": None}


def has_ended(status: QuantizedModelStatus, run: str) -> bool:
    """Whether the run has made its artifact. One from before there was a verification has, too; an
    artifact that was kept of an earlier time of the same run does not count."""
    made = status.chosen and not status.candidate
    return bool(made and status.artifact and status.artifact.run == run)


def outcome(spec: QuantizedModelSpec, status: QuantizedModelStatus) -> Outcome:
    """How a run ended that made its artifact."""
    chosen, artifact = status.chosen, status.artifact
    assert chosen is not None
    assert artifact is not None
    text = f"{describe(chosen)}; {artifact.bytes} bytes of {status.source_bytes}."
    text += _few_rows(spec, status.calibration_rows) + _answered(status.verified)
    return Outcome(Ready("True", Reason.SUCCEEDED, text), {})


def _answered(by: Verified | None) -> str:
    if by is None:
        return ""
    engine = f"{by.engine} {by.version}" if by.version else by.engine
    return f" {engine} answered with it {by.seconds_to_first_answer:.0f} s after its pod began."


def _few_rows(spec: QuantizedModelSpec, rows: int | None) -> str:
    """Fewer rows than were asked for are no failure: the gate has judged what came of them."""
    wanted = spec.calibration.samples
    if rows is None or rows >= wanted:
        return ""
    return f" Calibrated on {rows} rows: there were no {wanted}, as calibration.samples asks."


def findings(told: Termination) -> dict[str, Any]:
    """The rungs that were tried though none passed."""
    if told.quantize is None:
        return {}
    return _found(told.quantize)


def _found(result: QuantizeResult) -> dict[str, Any]:
    """What a run knows of its model and rungs, whether or not one passed."""
    return {
        "ladder_reason": result.ladder_reason,
        "rungs": result.rungs,
        "baseline_perplexity": result.baseline_perplexity,
        "baseline_tokens_per_second": result.baseline_tokens_per_second,
        "source_bytes": result.source_bytes,
        "calibration_rows": result.calibration_rows,
        "merged": result.merged,
    }


def describe(rung: RungResult) -> str:
    """A rung in a few words, as ``GPTQ (4 bits, groups of 128) raises...``."""
    sizes = f" ({rung.bits} bits, groups of {rung.group_size})" if rung.group_size else ""
    if rung.increase_percent is None:
        return f"{rung.method}{sizes}: {rung.message or 'not measured'}"
    return f"{rung.method}{sizes} raises perplexity by {rung.increase_percent:.2f} %"
