"""The shapes of training rows that ms-swift's users know, each turned into messages.

Another shape is another entry of ``FORMATS``: the column that tells it, and its function.
"""

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Message = dict[str, Any]

EXPECTED = (
    "messages, or query and response, or conversations, or instruction and output, with an answer "
    "of the assistant"
)
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}


def to_messages(row: Row) -> list[Message]:
    """``{"role", "content"}`` a turn; ValueError saying what is wrong with the row."""
    for column, convert in FORMATS.items():
        if column in row:
            messages = convert(row)
            _check(messages)
            return messages
    raise ValueError(f"found the columns {', '.join(sorted(map(str, row))) or 'none'}")


def _messages(row: Row) -> list[Message]:
    return [_turn(turn, "role", "content") for turn in _list(row["messages"], "messages")]


def _conversations(row: Row) -> list[Message]:
    turns = _list(row["conversations"], "conversations")
    return [*_system(row), *(_turn(turn, "from", "value") for turn in turns)]


def _query(row: Row) -> list[Message]:
    history = _list(row.get("history") or [], "history")
    past = [
        message for pair in history for message in (_user(_at(pair, 0)), _assistant(_at(pair, 1)))
    ]
    return [*_system(row), *past, _user(row["query"]), _assistant(row.get("response"))]


def _instruction(row: Row) -> list[Message]:
    parts = [row["instruction"], row.get("input")]
    asked = "\n".join(part for part in parts if isinstance(part, str) and part)
    return [*_system(row), _user(asked), _assistant(row.get("output"))]


FORMATS: dict[str, Callable[[Row], list[Message]]] = {
    "messages": _messages,
    "conversations": _conversations,
    "query": _query,
    "instruction": _instruction,
}


def _check(messages: list[Message]) -> None:
    if not messages:
        raise ValueError("found no turns")
    for message in messages:
        if not isinstance(message["content"], str):
            raise ValueError(f"the content of a turn of {message['role']} is not a text")
    if messages[-1]["role"] != "assistant" or not messages[-1]["content"]:
        raise ValueError("the last turn is no answer of the assistant")


def _turn(turn: Any, role_key: str, text_key: str) -> Message:
    if not isinstance(turn, dict) or role_key not in turn or text_key not in turn:
        raise ValueError(f"a turn has no {role_key} and {text_key}")
    role = _ROLES.get(str(turn[role_key]))
    if role is None:
        raise ValueError(f"the role {turn[role_key]!r} is not one of {', '.join(_ROLES)}")
    message = {"role": role, "content": turn[text_key]}
    if role == "assistant" and turn.get("loss") is False:
        message["loss"] = False
    return message


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} is not a list")
    return value


def _at(pair: Any, index: int) -> Any:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError("history is not a list of pairs")
    return pair[index]


def _system(row: Row) -> list[Message]:
    return [{"role": "system", "content": row["system"]}] if row.get("system") else []


def _user(text: Any) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: Any) -> Message:
    return {"role": "assistant", "content": text}
