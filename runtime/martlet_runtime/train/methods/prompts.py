"""Rows of questions, for the methods that let the model answer and reward the answers."""

import json
from collections.abc import Iterator
from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError
from martlet_runtime.rendering import count_prompt
from martlet_runtime.train.methods.base import Row


def render(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    """``prompt`` as turns, which TRL renders by the tokenizer's template, and the row itself as
    JSON: its columns are of any type, which Arrow's are not."""
    prompt = [{"role": m["role"], "content": m["content"]} for m in row["messages"]]
    if (tokens := count_prompt(tokenizer, prompt)) > max_length:
        raise UserError(
            Reason.DATASET_INVALID,
            f"A question has {tokens} tokens, more than hyperparameters.maxLength {max_length}: "
            f"{prompt[-1]['content'][:80]!r}. Raise it, or take the row out.",
        )
    yield {"prompt": prompt, "row": json.dumps(row["row"], ensure_ascii=False, default=str)}
