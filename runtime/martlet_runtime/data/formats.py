"""The spellings of a chat that ms-swift's and TRL's users know, each turned into messages.

Another spelling is another entry of ``FORMATS``: the column that tells it, and its function.
Columns that no spelling knows are left alone: files bring ids and notes along.
"""

import json
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Message = dict[str, Any]

EXPECTED = "messages, or query, or conversations, or instruction and output, or prompt"
_ROLES = {
    "system": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "tool": "tool",
    "tool_response": "tool",
    "tool_call": "tool_call",
}


def to_messages(row: Row) -> list[Message]:
    """``{"role", "content"}`` a turn, at least one; ValueError saying what is wrong with the row.
    A call of a tool is a turn of the assistant with ``tool_calls``."""
    for column, convert in FORMATS.items():
        if row.get(column) is not None:
            messages = _with_calls(convert(row))
            _check(messages, row)
            return messages
    raise ValueError(f"found {columns_of(row)}")


def turns(value: Any, name: str) -> list[Message]:
    """A list of turns in a column of its own."""
    return [_turn(turn, "role", "content") for turn in _list(value, name)]


def columns_of(row: Row) -> str:
    return f"the columns {', '.join(sorted(map(str, row))) or 'none'}"


def _messages(row: Row) -> list[Message]:
    return turns(row["messages"], "messages")


def _conversations(row: Row) -> list[Message]:
    listed = _list(row["conversations"], "conversations")
    return [*_system(row), *(_turn(turn, "from", "value") for turn in listed)]


def _conversation(row: Row) -> list[Message]:
    out = _system(row)
    for pair in _list(row["conversation"], "conversation"):
        if not isinstance(pair, dict) or not {"human", "assistant"} <= set(pair):
            raise ValueError("a turn of conversation has no human and assistant")
        out += [_user(pair["human"]), _assistant(pair["assistant"])]
    return out


def _query(row: Row) -> list[Message]:
    history = _list(row.get("history") or [], "history")
    past = [
        message for pair in history for message in (_user(_at(pair, 0)), _assistant(_at(pair, 1)))
    ]
    return [*_system(row), *past, _user(row["query"]), *_answer(row.get("response"))]


def _instruction(row: Row) -> list[Message]:
    parts = [row["instruction"], row.get("input")]
    asked = "\n".join(part for part in parts if isinstance(part, str) and part)
    return [*_system(row), _user(asked), *_answer(row.get("output"))]


def _prompt(row: Row) -> list[Message]:
    """TRL's prompt and completion, as texts or as turns."""
    prompt, completion = row["prompt"], row.get("completion")
    asked = [_user(prompt)] if isinstance(prompt, str) else turns(prompt, "prompt")
    if completion is None or isinstance(completion, str):
        return [*asked, *_answer(completion)]
    return [*asked, *turns(completion, "completion")]


FORMATS: dict[str, Callable[[Row], list[Message]]] = {
    "messages": _messages,
    "conversations": _conversations,
    "conversation": _conversation,
    "query": _query,
    "instruction": _instruction,
    "prompt": _prompt,
}


def tools_of(row: Row) -> list[Any] | None:
    """The tools that the assistant may call; a list, or the JSON of one."""
    tools = row.get("tools")
    if isinstance(tools, str) and tools:
        tools = _parsed(tools, "tools")
    return _list(tools, "tools") if tools else None


def _check(messages: list[Message], row: Row) -> None:
    if not messages:
        raise ValueError("found no turns")
    if row.get("images"):
        raise ValueError("the row has images, which only multimodal models see")
    for number, message in enumerate(messages, start=1):
        if not isinstance(message["content"], str):
            raise ValueError(f"the content of a turn of {message['role']} is not a text")
        if _is_empty_answer(message):
            raise ValueError(f"turn {number}, an answer of the assistant, is empty")


def _is_empty_answer(message: Message) -> bool:
    learnt = message["role"] == "assistant" and message.get("loss") is not False
    return learnt and not message["content"].strip() and "tool_calls" not in message


def _turn(turn: Any, role_key: str, text_key: str) -> Message:
    if not isinstance(turn, dict) or role_key not in turn:
        raise ValueError(f"a turn has no {role_key} and {text_key}")
    role = _ROLES.get(str(turn[role_key]))
    if role is None:
        raise ValueError(f"the role {turn[role_key]!r} is not one of {', '.join(_ROLES)}")
    calls = turn.get("tool_calls")
    if text_key not in turn and not calls:
        raise ValueError(f"a turn has no {role_key} and {text_key}")
    message = {"role": role, "content": turn.get(text_key) or ("" if calls else turn[text_key])}
    if calls:
        message["tool_calls"] = calls
    if role in ("assistant", "tool_call") and turn.get("loss") is False:
        message["loss"] = False
    return message


def _with_calls(messages: list[Message]) -> list[Message]:
    """ms-swift's turns of the role ``tool_call`` become calls of the assistant; those that follow
    one another are one turn."""
    out: list[Message] = []
    calling = False
    for message in messages:
        if message["role"] != "tool_call":
            out.append(message)
            calling = False
        elif calling:
            out[-1]["tool_calls"].append(_call(message["content"]))
        else:
            kept = {key: message[key] for key in ("loss",) if key in message}
            calls = [_call(message["content"])]
            out.append({"role": "assistant", "content": "", "tool_calls": calls, **kept})
            calling = True
    return out


def _call(text: Any) -> dict[str, Any]:
    call = _parsed(text, "a tool_call") if isinstance(text, str) else text
    if not isinstance(call, dict) or not {"name", "arguments"} <= set(call):
        raise ValueError("a tool_call has no name and arguments")
    arguments = call["arguments"]
    if isinstance(arguments, str):
        arguments = _parsed(arguments, "the arguments of a tool_call")
    return {"type": "function", "function": {"name": call["name"], "arguments": arguments}}


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON ({error})") from error


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


def _answer(text: Any) -> list[Message]:
    """None where the row has no such column: whether it must is for the method to say."""
    return [] if text is None else [_assistant(text)]
