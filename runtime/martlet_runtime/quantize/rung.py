"""One rung: compress, measure, judge."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from martlet_api.quantizedmodel import Rung, RungResult
from martlet_runtime.engines import formats
from martlet_runtime.engines.formats import Processor
from martlet_runtime.errors import FlowError
from martlet_runtime.perplexity import increase_percent
from martlet_runtime.quantize.methods import METHODS, groups
from martlet_runtime.quantize.scoring import Score, score

_MAX_CAUSE = 300
"""Characters of a library's own words that are passed on."""


@dataclass(frozen=True)
class Bench:
    """What every rung is tried on. ``load`` gives the full model anew, ``shape`` is one without
    numbers; ``rows`` are tokens; ``dtype`` is what all are measured in."""

    load: Callable[[torch.dtype], Any]
    shape: Any
    dtype: torch.dtype
    tokenizer: Any
    rows: list[list[int]]
    tokens: torch.Tensor
    baseline: Score
    max_increase_percent: float
    processor: Processor


def attempt(rung: Rung, bench: Bench, folder: Path) -> RungResult:
    """Tries a rung and leaves the compressed model in ``folder``."""
    started = time.monotonic()
    named = untried(rung)
    if reason := impossible(rung, bench):
        return named.model_copy(update={"message": reason})
    try:
        model = compress(rung, bench)
    except (FlowError, OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - a rung that the library cannot do is one of several
        traceback.print_exc()
        cause = " ".join(str(error).split())[:_MAX_CAUSE]
        text = f"{rung.method} cannot compress this model: {type(error).__name__}: {cause}"
        return named.model_copy(update={"message": text})
    measured = score(model, bench.tokens)
    model.save_pretrained(folder, save_compressed=True)
    bench.tokenizer.save_pretrained(folder)
    increase = increase_percent(measured.perplexity, bench.baseline.perplexity)
    return named.model_copy(
        update={
            "passed": increase <= bench.max_increase_percent,
            "perplexity": round(measured.perplexity, 4),
            "increase_percent": round(increase, 3),
            "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
            "seconds": round(time.monotonic() - started, 1),
            "tokens_per_second": round(measured.tokens_per_second, 1),
        }
    )


def untried(rung: Rung) -> RungResult:
    """What is known of a rung before it is tried: its settings, defaults filled in."""
    if rung.method not in groups.GROUPED:
        return RungResult(method=rung.method, passed=False)
    return RungResult(
        method=rung.method,
        bits=groups.bits(rung),
        group_size=groups.group_size(rung),
        passed=False,
    )


def impossible(rung: Rung, bench: Bench) -> str | None:
    """Why a rung need not be tried: the engine could not serve it here, or it does not divide."""
    if wrong := formats.problem(formats.of_rung(rung), bench.processor):
        return f"{wrong}."
    return _indivisible(rung, bench.shape) if rung.method in groups.GROUPED else None


def _indivisible(rung: Rung, model: Any) -> str | None:
    size = groups.group_size(rung)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and module.in_features % size:
            return (
                f"groupSize {size} does not divide the {module.in_features} inputs of {name}; "
                "choose a smaller one."
            )
    return None


def compress(rung: Rung, bench: Bench) -> Any:
    """The compressed model, by llm-compressor, in the dtype that all rungs are measured in."""
    from datasets import Dataset
    from llmcompressor import oneshot

    method = METHODS[rung.method]
    loaded = method.dtype or bench.dtype
    rows = [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in bench.rows]
    model = oneshot(
        model=bench.load(loaded),
        tokenizer=bench.tokenizer,
        recipe=method.modifiers(rung),
        dataset=Dataset.from_list(rows),
        num_calibration_samples=len(rows),
        shuffle_calibration_samples=False,
        max_seq_length=max(map(len, bench.rows)),
    )
    return model if loaded == bench.dtype else model.to(bench.dtype)
