"""One rung: compress, measure, judge."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from martlet_api.quantizedmodel import Rung, RungResult
from martlet_runtime.engines import formats
from martlet_runtime.perplexity import increase_percent, perplexity
from martlet_runtime.quantize.methods import METHODS
from martlet_runtime.quantize.methods.gptq import group_size


@dataclass(frozen=True)
class Bench:
    """What every rung is tried on. ``load`` gives the full model anew; ``rows`` are tokens."""

    load: Callable[[], Any]
    tokenizer: Any
    rows: list[list[int]]
    tokens: torch.Tensor
    baseline: float
    max_increase_percent: float
    on_accelerator: bool


def attempt(rung: Rung, bench: Bench, folder: Path) -> RungResult:
    """Tries a rung and leaves the compressed model in ``folder``."""
    started = time.monotonic()
    if reason := impossible(rung, bench):
        return RungResult(
            method=rung.method, group_size=rung.group_size, passed=False, message=reason
        )
    model = compress(rung, bench)
    measured = perplexity(model, bench.tokens)
    increase = increase_percent(measured, bench.baseline)
    model.save_pretrained(folder, save_compressed=True)
    bench.tokenizer.save_pretrained(folder)
    return RungResult(
        method=rung.method,
        group_size=group_size(rung) if rung.method == "GPTQ" else None,
        passed=increase <= bench.max_increase_percent,
        perplexity=round(measured, 4),
        increase_percent=round(increase, 3),
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        seconds=round(time.monotonic() - started, 1),
    )


def impossible(rung: Rung, bench: Bench) -> str | None:
    """Why a rung need not be tried: the engine could not serve it here, or it does not divide."""
    if not bench.on_accelerator:
        wrong = formats.problem(formats.BY_METHOD[rung.method], formats.cpu_flags())
        if wrong:
            return f"{wrong}."
    return _indivisible(rung, bench.load()) if rung.method == "GPTQ" else None


def _indivisible(rung: Rung, model: Any) -> str | None:
    size = group_size(rung)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module.in_features % size:
            return (
                f"groupSize {size} does not divide the {module.in_features} inputs of {name}; "
                "choose a smaller one."
            )
    return None


def compress(rung: Rung, bench: Bench) -> Any:
    """The compressed model, by llm-compressor."""
    from datasets import Dataset
    from llmcompressor import oneshot

    rows = [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in bench.rows]
    return oneshot(
        model=bench.load(),
        tokenizer=bench.tokenizer,
        recipe=[METHODS[rung.method](rung)],
        dataset=Dataset.from_list(rows),
        num_calibration_samples=len(rows),
        shuffle_calibration_samples=False,
        max_seq_length=max(map(len, bench.rows)),
    )
