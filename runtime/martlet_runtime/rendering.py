"""Chats as tokens: the tokenizer's own template, and labels on the answers alone."""

from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

Messages = list[dict[str, Any]]
IGNORED = -100
"""The label that PyTorch's cross entropy leaves out."""


def render(tokenizer: Any, messages: Messages, max_length: int) -> dict[str, list[int]]:
    """``input_ids`` and ``labels`` of one chat, at most ``max_length`` tokens each.

    A token is learnt if it lies in an answer of the assistant without ``"loss": false``: from
    after the header that the template writes to the end of the turn, its stop token included.
    """
    text = _text(tokenizer, messages)
    spans = answer_spans(tokenizer, messages, text)
    encoded = tokenizer(
        text,
        add_special_tokens=False,
        return_offsets_mapping=True,
        truncation=True,
        max_length=max_length,
    )
    ids: list[int] = encoded["input_ids"]
    offsets: list[tuple[int, int]] = encoded["offset_mapping"]
    labels = [
        token if _inside(offset, spans) else IGNORED
        for token, offset in zip(ids, offsets, strict=True)
    ]
    return {"input_ids": ids, "labels": labels}


def answer_spans(tokenizer: Any, messages: Messages, text: str) -> list[tuple[int, int]]:
    """Where in ``text`` the answers stand that are to be learnt, as (start, end)."""
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or message.get("loss") is False:
            continue
        before = _text(tokenizer, messages[:index], add_generation_prompt=True)
        until = _text(tokenizer, messages[: index + 1])
        if not (until.startswith(before) and text.startswith(until)):
            raise UserError(
                Reason.MODEL_INVALID,
                "The chat template writes earlier turns differently once later ones follow, so "
                "the answers cannot be told apart. Train on rows of one answer each.",
            )
        spans.append((len(before), len(until.rstrip())))
    return spans


def _text(tokenizer: Any, messages: Messages, *, add_generation_prompt: bool = False) -> str:
    turns = [{"role": m["role"], "content": m["content"]} for m in messages]
    text: str = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=add_generation_prompt
    )
    return text


def _inside(offset: tuple[int, int], spans: list[tuple[int, int]]) -> bool:
    start, end = offset
    return any(low <= start and end <= high and start < end for low, high in spans)
