"""Quantize: climbs the ladder until a rung stays within the gate, and writes that one."""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, QuantizePlan, QuantizeResult, Termination
from martlet_api.quantizedmodel import Rung, RungResult
from martlet_api.runs import Artifact
from martlet_runtime import artifacts, data
from martlet_runtime.engines.formats import Processor, processor
from martlet_runtime.errors import UserError
from martlet_runtime.loading import load_model, load_tokenizer, shape_of_model
from martlet_runtime.paths import Paths
from martlet_runtime.perplexity import tokens_of
from martlet_runtime.quantize import device, ladder, merging, needs
from martlet_runtime.quantize.kept import Kept
from martlet_runtime.quantize.rung import Bench, attempt, untried
from martlet_runtime.quantize.scoring import Score, score
from martlet_runtime.rendering import render
from martlet_runtime.report import Report

FORMAT = "compressed-tensors"
RESULT = "martlet-quantization.json"
"""Beside the weights: how each rung did, for whoever finds the artifact later."""


@dataclass(frozen=True)
class _Texts:
    """The calibration's ``rows`` and the gate's ``tokens``, as the tokenizer has them."""

    tokenizer: Any
    rows: list[list[int]]
    tokens: torch.Tensor


@dataclass(frozen=True)
class _Known:
    """What a result says besides its rungs."""

    ladder: list[Rung]
    reason: str
    source_bytes: int
    merged: Artifact | None


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Tries the rungs in order; every one that was tried is in the result."""
    assert plan.quantize is not None
    todo = plan.quantize
    if done := _done_before(paths, todo):
        return done
    artifacts.check_writable(paths, todo.output)
    where = _processor(todo)
    rungs, reason = _ladder(todo, where)
    kept, texts = Kept(plan, paths), _texts(plan, paths)
    _check_room(plan, paths, rungs, texts)
    full, merged = merging.full_model(plan, paths)
    known = _Known(rungs, reason, merging.weight_bytes(full.inputs / "model"), merged)
    bench = _bench(todo, full, texts, where, kept)
    ended = _climb(known, bench, paths, todo, report, kept)
    kept.remove()
    return ended


def _climb(
    known: _Known, bench: Bench, paths: Paths, todo: QuantizePlan, report: Report, kept: Kept
) -> Termination:
    tried: list[RungResult] = []
    for number, rung in enumerate(known.ladder, start=1):
        report.quantize(number, len(known.ladder))
        folder = paths.work / f"rung-{number}"
        tried.append(kept.found(untried(rung)) or attempt(rung, bench, folder))
        print(tried[-1].model_dump_json(exclude_none=True), flush=True)
        if tried[-1].passed:
            return _passed(todo, paths, _result(known, bench, tried), folder)
        kept.keep(tried[-1])
        shutil.rmtree(folder, ignore_errors=True)
    return _none_passed(todo, _result(known, bench, tried))


def _ladder(todo: QuantizePlan, where: Processor) -> tuple[list[Rung], str]:
    if todo.ladder:
        return ladder.given(todo.ladder)
    rungs, reason = ladder.choose(todo.workload, where)
    if rungs:
        return rungs, reason
    raise UserError(
        Reason.FORMAT_NOT_SUPPORTED,
        f"The engine serves no compressed weights on this node. {reason} Choose other nodes by "
        "spec.pod.nodeSelector.",
    )


def _processor(todo: QuantizePlan) -> Processor:
    capability = device.capability() if todo.on_accelerator else None
    return processor(on_accelerator=todo.on_accelerator, capability=capability)


def _texts(plan: Plan, paths: Paths) -> _Texts:
    """The calibration's rows are rendered as training renders them."""
    assert plan.quantize is not None
    tokenizer, length = load_tokenizer(paths), plan.quantize.calibration_max_length
    by_name = {item.name: item for item in plan.inputs}
    rows = data.read_training(paths.inputs / "calibration", by_name["calibration"])
    text = data.read_text(paths.inputs / "perplexity", by_name["perplexity"].uri)
    return _Texts(
        tokenizer,
        [render(tokenizer, row["messages"], length)["input_ids"] for row in rows],
        tokens_of(tokenizer, text),
    )


def _check_room(plan: Plan, paths: Paths, rungs: list[Rung], texts: _Texts) -> None:
    """Before the first weight is loaded: memory, scratch space and the output's volume."""
    assert plan.quantize is not None
    dtype, output = device.dtype(), plan.quantize.output
    shape = shape_of_model(paths.inputs / "model", dtype)
    calibration = needs.Calibration(len(texts.rows), max(map(len, texts.rows)))
    wanted = [needs.of(rung, shape, dtype, calibration) for rung in rungs]
    needs.check_memory(wanted, needs.memory_limit())
    compressed = max(each.disk for each in wanted)
    needs.check_disk(compressed, paths.work, "The pod's scratch space")
    claim = paths.of_claim(output.uri).parent
    needs.check_disk(compressed + merging.bytes_to_write(plan, paths), claim, output.uri)


def _bench(todo: QuantizePlan, full: Paths, texts: _Texts, where: Processor, kept: Kept) -> Bench:
    dtype = device.dtype()
    return Bench(
        load=partial(load_model, full),
        shape=shape_of_model(full.inputs / "model", dtype),
        dtype=dtype,
        tokenizer=texts.tokenizer,
        rows=texts.rows,
        tokens=texts.tokens,
        baseline=_baseline(full, dtype, texts.tokens, kept),
        max_increase_percent=todo.max_increase_percent,
        processor=where,
    )


def _baseline(full: Paths, dtype: torch.dtype, tokens: torch.Tensor, kept: Kept) -> Score:
    """Of the full model, measured once a run."""
    if known := kept.baseline:
        return known
    measured = score(load_model(full, dtype), tokens)
    kept.keep_baseline(measured)
    return measured


def _passed(todo: QuantizePlan, paths: Paths, result: QuantizeResult, folder: Path) -> Termination:
    def build(target: Path) -> None:
        shutil.copytree(folder, target, dirs_exist_ok=True)
        told = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        (target / RESULT).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")

    return _ended(result, artifacts.write(paths, todo.output, FORMAT, None, build))


def _done_before(paths: Paths, todo: QuantizePlan) -> Termination | None:
    """What an earlier attempt of the run finished, though its message was lost."""
    found = artifacts.find(paths, todo.output, FORMAT, None)
    if found is None:
        return None
    text = (paths.of_claim(found.uri) / RESULT).read_text()
    return _ended(QuantizeResult.model_validate_json(text), found)


def _ended(result: QuantizeResult, artifact: Artifact) -> Termination:
    chosen = result.rungs[-1]
    return Termination(
        flow="quantize",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"{chosen.method} raises perplexity by {chosen.increase_percent} %.",
        quantize=result.model_copy(update={"artifact": artifact}),
    )


def _none_passed(todo: QuantizePlan, result: QuantizeResult) -> Termination:
    table = "; ".join(
        f"{rung.method} {rung.message or f'{rung.increase_percent:+} %'}" for rung in result.rungs
    )
    return Termination(
        flow="quantize",
        succeeded=False,
        reason=Reason.NO_RUNG_PASSED,
        message=(
            f"No rung stays within {todo.max_increase_percent} % of the full model's perplexity "
            f"{result.baseline_perplexity:.3f}: {table}. Add a rung that keeps more (W8A8, W8A16, "
            "a smaller groupSize), or raise spec.gate.perplexity.maxIncreasePercent."
        ),
        quantize=result,
    )


def _result(known: _Known, bench: Bench, tried: list[RungResult]) -> QuantizeResult:
    return QuantizeResult(
        rungs=tried,
        baseline_perplexity=round(bench.baseline.perplexity, 4),
        baseline_tokens_per_second=round(bench.baseline.tokens_per_second, 1),
        source_bytes=known.source_bytes,
        ladder_reason=known.reason,
        calibration_rows=len(bench.rows),
        merged=known.merged,
    )
