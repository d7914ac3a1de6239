"""Chats as tokens: the tokenizer's own template, and labels on the answers alone."""

import json
from typing import Any

from jinja2 import TemplateError

from martlet_runtime.errors import RowError

Messages = list[dict[str, Any]]
Tools = list[Any] | None
IGNORED = -100
"""The label that PyTorch's cross entropy leaves out."""

_TURN = ("role", "content", "tool_calls")
"""What of a turn the template sees."""
_SHOWN = 80
"""Characters of a row that a message quotes."""
_REFUSALS = (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""What templates raise, in their own words or because they did not foresee a row."""


def render(
    tokenizer: Any, messages: Messages, max_length: int, tools: Tools = None
) -> dict[str, list[int]]:
    """``input_ids`` and ``labels`` of one chat, at most ``max_length`` tokens each.

    A token is learnt if it lies in an answer of the assistant without ``"loss": false``: from
    after the header that the template writes to the end of the turn, its stop token included.
    """
    text = _text(tokenizer, messages, tools)
    spans = answer_spans(tokenizer, messages, text, tools)
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


def render_to_learn(
    tokenizer: Any, messages: Messages, max_length: int, tools: Tools = None
) -> dict[str, list[int]]:
    """``render``, and RowError where no token would be learnt."""
    rendered = render(tokenizer, messages, max_length, tools)
    if all(label == IGNORED for label in rendered["labels"]):
        raise _nothing_to_learn(messages, max_length)
    return rendered


def render_answer(
    tokenizer: Any, messages: Messages, answer: str, max_length: int, tools: Tools = None
) -> tuple[list[int], list[int]]:
    """(tokens of what is asked, tokens of the answer with its stop), together at most
    ``max_length``; RowError where nothing of the answer is left."""
    asked = [{**message, "loss": False} for message in messages]
    answered = [*asked, {"role": "assistant", "content": answer}]
    rendered = render_to_learn(tokenizer, answered, max_length, tools)
    labels = rendered["labels"]
    start = next(index for index, label in enumerate(labels) if label != IGNORED)
    end = next((i for i in range(start, len(labels)) if labels[i] == IGNORED), len(labels))
    return rendered["input_ids"][:start], rendered["input_ids"][start:end]


def count_prompt(tokenizer: Any, messages: Messages) -> int:
    """Tokens of what is asked, as the model sees it before it answers."""
    text = _text(tokenizer, messages, None, add_generation_prompt=True)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def render_text(tokenizer: Any, text: str, max_length: int) -> list[dict[str, list[int]]]:
    """A text without a template, all of it learnt: pieces of at most ``max_length`` tokens, the
    last of which ends with the tokenizer's end of text. RowError where no token would be learnt."""
    _check_characters(text)
    ids = [*tokenizer(text)["input_ids"]]
    if tokenizer.eos_token_id is not None and ids[-1:] != [tokenizer.eos_token_id]:
        ids.append(tokenizer.eos_token_id)
    pieces = [ids[start : start + max_length] for start in range(0, len(ids), max_length)]
    # A piece of one token has nothing to be foretold.
    kept = [piece for piece in pieces if len(piece) > 1]
    if not kept:
        found = f"no piece of the text {_quoted(text)} has two tokens within {max_length}"
        raise RowError(found, "a longer text")
    return [{"input_ids": piece, "labels": piece} for piece in kept]


def _nothing_to_learn(messages: Messages, max_length: int) -> RowError:
    return RowError(
        f"nothing could be learnt from the row that begins {beginning(messages)}",
        f'an answer without "loss": false within {max_length} tokens, or a greater '
        "hyperparameters.maxLength",
    )


def answer_spans(
    tokenizer: Any, messages: Messages, text: str, tools: Tools = None
) -> list[tuple[int, int]]:
    """Where in ``text`` the answers stand that are to be learnt, as (start, end)."""
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or message.get("loss") is False:
            continue
        before = _text(tokenizer, messages[:index], tools, add_generation_prompt=True)
        until = _text(tokenizer, messages[: index + 1], tools)
        if not (until.startswith(before) and text.startswith(until)):
            raise RowError(
                "the model's chat template writes earlier turns differently once later ones "
                f"follow, so in the row that begins {beginning(messages)} the answers cannot be "
                "told apart",
                "rows of one answer each",
            )
        spans.append((len(before), len(until.rstrip())))
    return spans


def _text(
    tokenizer: Any, messages: Messages, tools: Tools, *, add_generation_prompt: bool = False
) -> str:
    turns = [{key: m[key] for key in _TURN if key in m} for m in messages]
    try:
        text: str = tokenizer.apply_chat_template(
            turns, tools=tools, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except _REFUSALS as error:
        raise RowError(
            f"the model's chat template refuses the row that begins {beginning(messages)} "
            f"({error})",
            "turns that it takes",
        ) from error
    _check_characters(text)
    return text


def _check_characters(text: str) -> None:
    """Halves of surrogate pairs, as bytes that are not UTF-8 become, are nothing to a tokenizer."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = (
            f"{text[error.start]!a} in the row that has {_quoted(text[: error.start][-_SHOWN:])}"
        )
        raise RowError(f"{found} is no character", "text in UTF-8") from error


def beginning(messages: Messages) -> str:
    """Of a row, for messages."""
    return _quoted(str(messages[0]["content"]) if messages else "")


def _quoted(text: str) -> str:
    return json.dumps(text[:_SHOWN], ensure_ascii=False)


def _inside(offset: tuple[int, int], spans: list[tuple[int, int]]) -> bool:
    start, end = offset
    return any(low <= start and end <= high and start < end for low, high in spans)
