"""What the gate measures of a model, full or compressed."""

import time
from dataclasses import dataclass
from typing import Any

import torch

from martlet_runtime.perplexity import perplexity
from martlet_runtime.quantize import device


@dataclass(frozen=True)
class Score:
    """``tokens_per_second``: the gate's text through transformers, one window after the other, the
    compressed weights unpacked. It compares rungs, and is not what an engine serves."""

    perplexity: float
    tokens_per_second: float


def score(model: Any, tokens: torch.Tensor) -> Score:
    ready = device.placed(model)
    started = time.perf_counter()
    measured = perplexity(ready, tokens)
    return Score(measured, len(tokens) / (time.perf_counter() - started))
