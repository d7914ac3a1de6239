"""A pod's result as the text that the kubelet keeps of it, and back.

It is JSON for people to read; where that is too long, the same JSON made short: MARK, then base85
of zlib of it, with lists of objects turned into columns, since figures of one kind compress better
beside one another. ``python -m martlet_api.termination < TEXT`` prints what a short one says.
"""

import base64
import json
import sys
import zlib
from typing import Any

from martlet_api.contract import (
    ContaminationResult,
    QuantizeResult,
    Termination,
    termination_limit,
)

MARK = "zlib+base85:"
_COLUMNS = "*"
"""The one key of an object that stands for a list; no field is called so."""
_MOST_BYTES = 1 << 20
"""That a message may become: it comes from an image that may be a user's."""
_KEPT_MESSAGE, _SHORT_MESSAGE, _BARE_MESSAGE = 2000, 1200, 120
"""Characters: what a condition keeps of it, and what is left where room is short."""
_SHORT_ERRORS, _SHORT_ERROR = 3, 200
_SHORT_TEXT, _BARE_TEXT = 120, 30


class TooLong(ValueError):  # noqa: N818 - says what is wrong, as conditions do
    """A result of which the figures alone are more than the kubelet keeps."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"The result takes {size} bytes, and the kubelet keeps {limit} of it.")
        self.size, self.limit = size, limit


def encode(told: Termination) -> str:
    """At most ``termination_limit`` bytes. Figures are never left out: what only people read is
    cut, then dropped, and only where even the short form is too long. TooLong where that does not
    help."""
    limit = termination_limit(told.flow)
    kept = told.model_copy(update={"message": _cut(told.message, _KEPT_MESSAGE)})
    plain = kept.model_dump_json(by_alias=True, exclude_none=True)
    if len(plain.encode()) <= limit:
        return plain
    size = 0
    for attempt in (kept, _shortened(kept), _bare(kept)):
        text = _packed(attempt.model_dump(mode="json", by_alias=True, exclude_none=True))
        if (size := len(text)) <= limit:
            return text
    raise TooLong(size, limit)


def decode(text: str) -> Termination | None:
    """What a pod said; None where the text is somebody else's, or was cut off."""
    try:
        if text.startswith(MARK):
            return Termination.model_validate(_unpacked(text))
        return Termination.model_validate_json(text)
    except (ValueError, zlib.error, RecursionError):
        return None


def _packed(value: Any) -> str:
    text = json.dumps(_columns(value), ensure_ascii=False, separators=(",", ":"))
    return MARK + base64.b85encode(zlib.compress(text.encode(), 9)).decode()


def _unpacked(text: str) -> Any:
    stream = zlib.decompressobj()
    found = stream.decompress(base64.b85decode(text.strip()[len(MARK) :]), _MOST_BYTES)
    if not stream.eof:
        raise ValueError("the text was cut off, or is more than any result of ours")
    return _rows(json.loads(found))


def _columns(value: Any) -> Any:
    """The value with every list of objects as one object of lists, None where a row lacks a
    field."""
    if isinstance(value, dict):
        return {name: _columns(item) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [_columns(item) for item in value]
    names = _names(items)
    return {_COLUMNS: {name: [i.get(name) for i in items] for name in names}} if names else items


def _names(items: list[Any]) -> list[str]:
    """Of the fields, in the order in which they come; none where a list is short or holds others
    than objects."""
    if len(items) < 2 or not all(isinstance(item, dict) for item in items):
        return []
    return list(dict.fromkeys(name for item in items for name in item))


def _rows(value: Any) -> Any:
    """What ``_columns`` was given. ValueError where columns differ in length."""
    if isinstance(value, list):
        return [_rows(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {_COLUMNS} or not isinstance(value[_COLUMNS], dict):
        return {name: _rows(item) for name, item in value.items()}
    named = value[_COLUMNS]
    rows = zip(*(map(_rows, column) for column in named.values()), strict=True)
    return [
        {name: item for name, item in zip(named, row, strict=True) if item is not None}
        for row in rows
    ]


def _shortened(full: Termination) -> Termination:
    update: dict[str, object] = {"message": _cut(full.message, _SHORT_MESSAGE)}
    if full.evaluate:
        errors = [_cut(text, _SHORT_ERROR) for text in full.evaluate.errors[:_SHORT_ERRORS]]
        update["evaluate"] = full.evaluate.model_copy(update={"errors": errors})
    if full.quantize:
        update["quantize"] = _quantize(full.quantize, texts=_SHORT_TEXT)
    if full.contamination:
        update["contamination"] = _contamination(full.contamination, texts=_SHORT_TEXT)
    return full.model_copy(update=update)


def _bare(full: Termination) -> Termination:
    """Without what only people would read; what the operator needs to go on stays."""
    update: dict[str, object] = {"message": _cut(full.message, _BARE_MESSAGE)}
    if full.evaluate:
        update["evaluate"] = full.evaluate.model_copy(update={"errors": []})
    if full.quantize:
        update["quantize"] = _quantize(full.quantize, texts=_BARE_TEXT)
    if full.contamination:
        update["contamination"] = _contamination(full.contamination, texts=_BARE_TEXT)
    return full.model_copy(update=update)


def _quantize(full: QuantizeResult, texts: int) -> QuantizeResult:
    """All figures, and of each rung's message so many characters; of the ladder's twice as many."""
    rungs = [
        rung.model_copy(update={"message": _cut(rung.message, texts)}) if rung.message else rung
        for rung in full.rungs
    ]
    reason = full.ladder_reason and _cut(full.ladder_reason, 2 * texts)
    return full.model_copy(update={"rungs": rungs, "ladder_reason": reason})


def _contamination(full: ContaminationResult, texts: int) -> ContaminationResult:
    return full.model_copy(update={"unknown": [_cut(text, texts) for text in full.unknown]})


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


if __name__ == "__main__":
    found = decode(sys.stdin.read())
    print(found.model_dump_json(indent=1, by_alias=True, exclude_none=True) if found else "")
    sys.exit(found is None)
