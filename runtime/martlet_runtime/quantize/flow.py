"""Quantize: climbs the ladder until a rung stays within the gate, and writes that one."""

import shutil
from functools import partial
from pathlib import Path

import torch

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, QuantizePlan, QuantizeResult, Termination
from martlet_api.quantizedmodel import RungResult
from martlet_runtime import artifacts, data
from martlet_runtime.engines.formats import Processor, processor
from martlet_runtime.loading import load_model, load_tokenizer, shape_of_model
from martlet_runtime.paths import Paths
from martlet_runtime.perplexity import tokens_of
from martlet_runtime.quantize.rung import Bench, attempt
from martlet_runtime.quantize.scoring import score
from martlet_runtime.rendering import render
from martlet_runtime.report import Report

FORMAT = "compressed-tensors"


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Tries the rungs in order; every one that was tried is in the result."""
    assert plan.quantize is not None
    todo = plan.quantize
    artifacts.check_writable(paths, todo.output)
    bench = _bench(plan, todo, paths)
    rungs: list[RungResult] = []
    for number, rung in enumerate(todo.ladder, start=1):
        report.quantize(number, len(todo.ladder))
        folder = paths.work / f"rung-{number}"
        rungs.append(attempt(rung, bench, folder))
        print(rungs[-1].model_dump_json(exclude_none=True), flush=True)
        if rungs[-1].passed:
            return _passed(todo, paths, bench, rungs, folder)
        shutil.rmtree(folder, ignore_errors=True)
    return _none_passed(todo, paths, bench, rungs)


def _bench(plan: Plan, todo: QuantizePlan, paths: Paths) -> Bench:
    dtype = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    tokenizer = load_tokenizer(paths)
    by_name = {item.name: item for item in plan.inputs}
    text = data.read_text(paths.inputs / "perplexity", by_name["perplexity"].uri)
    rows = data.read_training(paths.inputs / "calibration", by_name["calibration"])
    tokens = tokens_of(tokenizer, text)
    return Bench(
        load=partial(load_model, paths),
        shape=shape_of_model(paths.inputs / "model", dtype),
        dtype=dtype,
        tokenizer=tokenizer,
        rows=[
            render(tokenizer, row["messages"], todo.calibration_max_length)["input_ids"]
            for row in rows
        ],
        tokens=tokens,
        baseline=score(load_model(paths, dtype), tokens),
        max_increase_percent=todo.max_increase_percent,
        processor=_processor(todo),
    )


def _processor(todo: QuantizePlan) -> Processor:
    """The accelerator's compute capability is known where torch sees one."""
    capability = None
    if todo.on_accelerator and torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        capability = 10 * major + minor
    return processor(on_accelerator=todo.on_accelerator, capability=capability)


def _passed(
    todo: QuantizePlan, paths: Paths, bench: Bench, rungs: list[RungResult], folder: Path
) -> Termination:
    artifact = artifacts.write(
        paths,
        todo.output,
        FORMAT,
        None,
        lambda target: shutil.copytree(folder, target, dirs_exist_ok=True) and None,
    )
    result = _result(paths, bench, rungs).model_copy(update={"artifact": artifact})
    text = f"{rungs[-1].method} raises perplexity by {rungs[-1].increase_percent} %."
    return Termination(
        flow="quantize", succeeded=True, reason=Reason.SUCCEEDED, message=text, quantize=result
    )


def _none_passed(
    todo: QuantizePlan, paths: Paths, bench: Bench, rungs: list[RungResult]
) -> Termination:
    table = "; ".join(
        f"{rung.method} {rung.message or f'{rung.increase_percent:+} %'}" for rung in rungs
    )
    return Termination(
        flow="quantize",
        succeeded=False,
        reason=Reason.NO_RUNG_PASSED,
        message=(
            f"No rung stays within {todo.max_increase_percent} % of the full model's perplexity "
            f"{bench.baseline.perplexity:.3f}: {table}. Add a rung that keeps more "
            "(W8A8, W8A16, a smaller groupSize), or raise spec.gate.perplexity.maxIncreasePercent."
        ),
        quantize=_result(paths, bench, rungs),
    )


def _result(paths: Paths, bench: Bench, rungs: list[RungResult]) -> QuantizeResult:
    """``source_bytes`` are the weights as they lie there, whatever they are computed in."""
    size = sum(path.stat().st_size for path in (paths.inputs / "model").glob("*.safetensors"))
    return QuantizeResult(
        rungs=rungs,
        baseline_perplexity=round(bench.baseline.perplexity, 4),
        baseline_tokens_per_second=round(bench.baseline.tokens_per_second, 1),
        source_bytes=size,
    )
