"""Chats as tokens: the tokenizer's own template, and labels on the answers alone."""

import json
from typing import Any

from jinja2 import TemplateError

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

Messages = list[dict[str, Any]]
IGNORED = -100
"""The label that PyTorch's cross entropy leaves out."""

_SHOWN = 80
"""Characters of a row that a message quotes."""


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


def render_to_learn(tokenizer: Any, messages: Messages, max_length: int) -> dict[str, list[int]]:
    """``render``, and DatasetInvalid where no token would be learnt."""
    rendered = render(tokenizer, messages, max_length)
    if all(label == IGNORED for label in rendered["labels"]):
        raise UserError(
            Reason.DATASET_INVALID,
            f"Nothing could be learnt from the row that begins {_beginning(messages)}: it has no "
            f'answer without "loss": false within {max_length} tokens. Raise '
            "hyperparameters.maxLength, or take the row out.",
        )
    return rendered


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
    try:
        text: str = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except TemplateError as error:
        raise UserError(
            Reason.DATASET_INVALID,
            f"The model's chat template refuses the row that begins {_beginning(messages)}: "
            f"{error}. Bring its turns into the order that the template takes.",
        ) from error
    return text


def _beginning(messages: Messages) -> str:
    text = str(messages[0]["content"]) if messages else ""
    return json.dumps(text[:_SHOWN], ensure_ascii=False)


def _inside(offset: tuple[int, int], spans: list[tuple[int, int]]) -> bool:
    start, end = offset
    return any(low <= start and end <= high and start < end for low, high in spans)
