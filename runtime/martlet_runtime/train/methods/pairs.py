"""Rows of preferences as tokens, for the methods that compare a chosen with a rejected answer."""

from collections.abc import Iterator
from typing import Any

from martlet_runtime.rendering import IGNORED, render_answer
from martlet_runtime.train.methods.base import Row


def render(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    """``prompt_ids``, ``chosen_ids`` and ``rejected_ids``: TRL's names."""
    asked, tools = row["messages"], row.get("tools")
    prompt, chosen = render_answer(tokenizer, asked, row["chosen"], max_length, tools)
    _, rejected = render_answer(tokenizer, asked, row["rejected"], max_length, tools)
    yield {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}


def longest(max_length: int) -> Row:
    asked, answer = [0] * (max_length // 2), [0] * (max_length - max_length // 2)
    return {"prompt_ids": asked, "chosen_ids": answer, "rejected_ids": answer}


def columns(row: Row) -> Row:
    """What the CPO and ORPO trainers' own tokenizing would make of such a row."""
    prompt = row["prompt_ids"]
    out: Row = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
    for side in ("chosen", "rejected"):
        answer = row[f"{side}_ids"]
        out[f"{side}_input_ids"] = [*prompt, *answer]
        out[f"{side}_attention_mask"] = [1] * (len(prompt) + len(answer))
        out[f"{side}_labels"] = [*[IGNORED] * len(prompt), *answer]
    return out
