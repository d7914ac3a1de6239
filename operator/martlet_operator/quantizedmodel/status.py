"""What a quantization run says: its rungs, and the one that was kept."""

from datetime import datetime
from typing import Any

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import QuantizeResult, Termination
from martlet_api.quantizedmodel import QuantizedModelSpec, QuantizeProgress, RungResult
from martlet_operator.batch.kind import Finished, Outcome
from martlet_operator.conditions.fold import Ready, timestamp


def progress(gauges: dict[str, float], now: datetime) -> tuple[QuantizeProgress, str] | None:
    """None until the first rung is tried."""
    total = int(gauges.get(contract.METRIC_RUNGS, 0))
    if not total:
        return None
    rung = int(gauges.get(contract.METRIC_RUNG, 0))
    figures = QuantizeProgress(rung=rung, rungs=total, updated_at=timestamp(now))
    return figures, f"Tries rung {rung} of {total}."


def outcome(spec: QuantizedModelSpec, finished: Finished) -> Outcome:
    """The first rung within the gate; a pod that found none says so by its exit code."""
    result = finished.told.quantize
    assert result is not None
    assert result.artifact is not None
    chosen = next(rung for rung in result.rungs if rung.passed)
    artifact = result.artifact.model_copy(update={"run": finished.run})
    update = {
        "chosen": chosen,
        **_found(result),
        "artifact": artifact,
        "progress": None,
    }
    text = f"{describe(chosen)}; {artifact.bytes} bytes of {result.source_bytes}."
    text += _few_rows(spec, result.calibration_rows)
    return Outcome(Ready("True", Reason.SUCCEEDED, text), update)


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
