"""Perplexity over fixed windows of a text: one script for both sides of the gate."""

import math
from typing import Any

import torch

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

WINDOW = 512
"""Tokens a window, or the model's own limit if that is less. Windows do not overlap."""
MAX_TOKENS = 65_536
"""Of a longer text the first so many tokens are taken."""


def tokens_of(tokenizer: Any, text: str) -> torch.Tensor:
    """The text's tokens, shape (tokens,), at least two."""
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return torch.tensor(enough(ids[:MAX_TOKENS]))


def enough(tokens: list[int]) -> list[int]:
    """The same; DatasetEmpty where there is nothing to score."""
    if len(tokens) < 2:
        raise UserError(
            Reason.DATASET_EMPTY,
            "The text for perplexity has fewer than two tokens. Name a longer one.",
        )
    return tokens


def windows(tokens: Any, size: int) -> list[Any]:
    """A list or tensor in pieces that do not overlap. Of a rest of one token nothing can be
    told."""
    pieces = [tokens[start : start + size] for start in range(0, len(tokens), size)]
    return [piece for piece in pieces if len(piece) > 1]


@torch.no_grad()
def perplexity(model: Any, tokens: torch.Tensor) -> float:
    """exp of the mean negative log-likelihood of each token given those before it in its window.

    The first token of a window is given and not scored.
    """
    model.eval()
    window = min(WINDOW, int(model.config.max_position_embeddings))
    total, count = 0.0, 0
    for part in windows(tokens, window):
        logits = model(input_ids=part.unsqueeze(0).to(model.device)).logits[0, :-1].float()
        # A model that is spread over several devices begins on one and ends on another.
        wanted = part[1:].to(logits.device)
        total += torch.nn.functional.cross_entropy(logits, wanted, reduction="sum").item()
        count += len(wanted)
    return math.exp(total / count)


def increase_percent(compressed: float, full: float) -> float:
    """How much worse, in percent of the full model's perplexity; negative if better."""
    return (compressed / full - 1) * 100
