"""What rows ask, whatever their spelling, so that a question is known again.

A chat asks with each turn of the user's, a row of text is itself what is learnt, a test row asks
with the last turn of the user's. Two askings are the same if they differ in nothing but upper and
lower case, white space, and forms of characters that Unicode takes for the same (NFKC).
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]

DIGEST_BYTES = 8
"""Of N rows to test and M trained on, N * M / 2**64 are taken for trained on and were not: of 10**5
and 10**7 fewer than one in ten million runs."""
_USERS = ("user", "human")


def digest(text: str) -> int:
    """Of what is asked, as a number below 2**64."""
    # Broken files have halves of surrogate pairs, which are no characters of UTF-8.
    known = normalized(text).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(known, digest_size=DIGEST_BYTES).digest())


def normalized(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def in_training(row: Row) -> Iterator[str]:
    """Of a row in its shape (``data.shapes``); blank turns ask nothing."""
    if "text" in row:
        yield row["text"]
    for message in row.get("messages", ()):
        if message["role"] == "user" and message["content"].strip():
            yield message["content"]


def in_test(row: Row) -> str:
    """Of a row of EvalScope's general benchmarks, in the order in which these look for it."""
    if row.get("messages"):
        turns = [turn for turn in row["messages"] if _is_user(turn)]
        return _text(turns[-1].get("content")) if turns else ""
    return _text(row.get("question") or row.get("query"))


def passages(text: str) -> Iterator[tuple[int, int, str]]:
    """Of a text that may have been a row of training: itself, its paragraphs and its lines, each
    as (first line, number of lines, text). Lines are numbered from 1."""
    lines = text.splitlines()
    yield 1, len(lines), text
    start = 0
    for number in range(len(lines) + 1):
        if number == len(lines) or not lines[number].strip():
            if number - start > 1:
                yield start + 1, number - start, "\n".join(lines[start:number])
            start = number + 1
    yield from ((number, 1, line) for number, line in enumerate(lines, start=1) if line.strip())


def _is_user(turn: Any) -> bool:
    return isinstance(turn, dict) and str(turn.get("role")) in _USERS


def _text(content: Any) -> str:
    """A list of parts, as of OpenAI's API, is the text of those that have one."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part, dict) and "text" in part]
    return "\n".join(map(str, texts)) if texts else json.dumps(content, ensure_ascii=False)
