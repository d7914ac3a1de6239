"""A file that is one JSON array, element by element: it need not fit into memory."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ijson

_CHUNK = 1 << 16
_SHOWN = 80
"""Characters that a message quotes of a file that is no array."""


def elements(path: Path) -> Iterator[Any]:
    """As ``json.loads`` would give them. ValueError saying what is wrong with the file, once those
    before it were given."""
    with path.open("rb") as stream:
        chunk = stream.read(_CHUNK)
        _check_array(chunk)
        # ijson.items would lose what stands before an error in the same chunk.
        parsed = ijson.sendable_list()
        parser = ijson.items_coro(parsed, "item")
        wrong = None
        while chunk and not wrong:
            wrong = _wrong(parser.send, chunk)
            yield from map(_as_json_has_it, parsed)
            parsed.clear()
            chunk = stream.read(_CHUNK)
    if wrong := wrong or _wrong(parser.close):
        raise ValueError(wrong)


def _check_array(beginning: bytes) -> None:
    text = beginning.lstrip()
    if not text.startswith(b"["):
        found = " ".join(text[:_SHOWN].decode(errors="replace").split())
        raise ValueError(f"found {found or 'nothing'}")


def _wrong(parse: Callable[..., Any], *chunk: bytes) -> str | None:
    """What ijson says of a chunk, or of the end: a line of words, and one of what stands there."""
    try:
        parse(*chunk)
    except ijson.JSONError as error:
        words = error.args[0]
        text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        told = [line.strip() for line in text.splitlines()[:2]]
        return f"not JSON ({' at '.join(line for line in told if line)})"
    return None


def _as_json_has_it(value: Any) -> Any:
    """ijson's own floats would not let whole numbers be of more than 64 bits."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _as_json_has_it(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json_has_it(item) for item in value]
    return value
