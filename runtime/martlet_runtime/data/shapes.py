"""What a training row is, by what the method learns from: one function a shape.

Each takes a row as the file has it and returns what rendering takes, or raises ValueError saying
what is wrong with it.
"""

from collections.abc import Callable
from typing import Any

from martlet_runtime.data.formats import EXPECTED, columns_of, to_messages, tools_of, turns

Row = dict[str, Any]
Message = dict[str, Any]

_REJECTED = ("rejected_response", "rejected_messages", "rejected")


def language_modeling(row: Row) -> Row:
    """``{"text"}``: a text, or the words of a lone turn of the assistant."""
    if isinstance(row.get("text"), str):
        text = row["text"]
    else:
        messages = to_messages(row)
        if [m["role"] for m in messages] != ["assistant"]:
            raise ValueError("a chat, which method PT does not learn; use SFT")
        text = messages[0]["content"]
    if not text.strip():
        raise ValueError("the text is empty")
    return {"text": text}


def conversation(row: Row) -> Row:
    """``{"messages", "tools"}``, the last turn an answer."""
    if found := _preference_of(row):
        raise ValueError(
            f"a preference (column {found}), which the methods DPO, SimPO, ORPO, CPO and RM learn"
        )
    messages = to_messages(row)
    _check_answered(messages)
    return _with_tools(messages, row)


def preference(row: Row) -> Row:
    """``{"messages", "chosen", "rejected", "tools"}``: what was asked, and two answers."""
    asked, chosen, rejected = _pair(row)
    if not asked:
        raise ValueError("nothing was asked before the answers")
    if chosen == rejected:
        raise ValueError("the chosen and the rejected answer are the same")
    return {**_with_tools(asked, row), "chosen": chosen, "rejected": rejected}


def unpaired_preference(row: Row) -> Row:
    """``{"messages", "label", "tools"}``: an answer, and whether it is a good one."""
    label = _LABELS.get(str(row.get("label")).lower())
    if label is None:
        raise ValueError(f"the label {row.get('label')!r} is not true or false")
    messages = to_messages(row)
    _check_answered(messages)
    return {**_with_tools(messages, row), "label": label}


def prompt_only(row: Row) -> Row:
    """``{"messages", "row"}``: what is asked, and the row as it is, for the rewards. An answer
    that the row has is not shown to the model."""
    messages = to_messages(row)
    if tools_of(row) or any("tool_calls" in m for m in messages):
        raise ValueError("tools, which methods that reward answers do not know")
    if messages[-1]["role"] == "assistant":
        messages = messages[:-1]
    if not messages:
        raise ValueError("nothing is asked")
    return {"messages": messages, "row": row}


SHAPES: dict[str, tuple[Callable[[Row], Row], str]] = {
    "LanguageModeling": (language_modeling, "text, or messages of one turn of the assistant"),
    "Conversation": (conversation, f"{EXPECTED}, with an answer of the assistant"),
    "Preference": (
        preference,
        f"{EXPECTED}, with an answer and rejected_response or rejected_messages; or chosen and "
        "rejected",
    ),
    "UnpairedPreference": (
        unpaired_preference,
        f"{EXPECTED}, with an answer and its label, true or false",
    ),
    "PromptOnly": (prompt_only, EXPECTED),
}
"""The function, and what a row must have, for messages."""

_LABELS = {"true": True, "1": True, "false": False, "0": False}


def _preference_of(row: Row) -> str | None:
    return next((name for name in _REJECTED if row.get(name) is not None), None)


def _pair(row: Row) -> tuple[list[Message], str, str]:
    """(what was asked, the chosen answer, the rejected one)."""
    found = _preference_of(row)
    if found is None:
        raise ValueError(f"no rejected answer; found {columns_of(row)}")
    if found == "rejected":
        return _trl_pair(row)
    messages = to_messages(row)
    chosen = _check_answered(messages)
    if found == "rejected_response":
        return messages[:-1], chosen, _text(row[found], found)
    rejected = turns(row[found], found)
    if len(rejected) > 1 and rejected[:-1] != messages[:-1]:
        raise ValueError("rejected_messages differ from messages before the last turn")
    return messages[:-1], chosen, _check_answered(rejected)


def _trl_pair(row: Row) -> tuple[list[Message], str, str]:
    """chosen and rejected are texts or turns; without a prompt, they begin with what was asked."""
    asked = to_messages({"prompt": row["prompt"]}) if row.get("prompt") is not None else []
    chosen, rejected = (_turns_or_text(row.get(name), name) for name in ("chosen", "rejected"))
    if chosen[:-1] != rejected[:-1]:
        raise ValueError("chosen and rejected differ before the last turn")
    return [*asked, *chosen[:-1]], _check_answered(chosen), _check_answered(rejected)


def _turns_or_text(value: Any, name: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": "assistant", "content": _text(value, name)}]
    return turns(value, name)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is not a text, or empty")
    return value


def _check_answered(messages: list[Message]) -> str:
    """The words of the last turn, which must be an answer."""
    last = messages[-1] if messages else {"role": "none", "content": ""}
    answered = last["role"] == "assistant" and (last["content"] or "tool_calls" in last)
    if not answered or not isinstance(last["content"], str):
        raise ValueError("the last turn is no answer of the assistant")
    return str(last["content"])


def _with_tools(messages: list[Message], row: Row) -> Row:
    tools = tools_of(row)
    return {"messages": messages, **({"tools": tools} if tools else {})}
