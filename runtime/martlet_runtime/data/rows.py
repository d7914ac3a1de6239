"""Rows of a data file: jsonl, json, csv or parquet, told by the name's ending."""

import csv
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

Row = dict[str, Any]
NumberedRow = tuple[int, Row]
"""A row with the line (jsonl, csv) or the position (json, parquet) it stands at, from 1."""

_SHOWN = 120


def rows_of(path: Path, name: str, max_samples: int | None) -> Iterator[NumberedRow]:
    """At most ``max_samples`` rows. ``name`` is the file as the user named it."""
    ending = Path(name).suffix.lower()
    reader = _READERS.get(ending)
    if reader is None:
        known = ", ".join(_READERS)
        raise UserError(
            Reason.DATASET_INVALID,
            f"{name} is of no known format: its name must end in one of {known}.",
        )
    return itertools.islice(reader(path, name), max_samples)


def bad_row(name: str, line: int, found: str, expected: str) -> UserError:
    """The one error for a row that cannot be used."""
    return UserError(
        Reason.DATASET_INVALID,
        f"{Path(name).name}:{line}: {found}; expected {expected}. Correct the row, then set a "
        "new spec.retry.",
    )


def shown(value: Any) -> str:
    """A value for a message, cut."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _jsonl(path: Path, name: str) -> Iterator[NumberedRow]:
    with path.open(encoding="utf-8", errors="surrogateescape") as stream:
        for line, text in enumerate(stream, start=1):
            if text.strip():
                yield line, _object(text, name, line)


def _object(text: str, name: str, line: int) -> Row:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise bad_row(name, line, f"not JSON ({error})", "one JSON object a line") from error
    if not isinstance(row, dict):
        raise bad_row(name, line, f"found {shown(row)}", "a JSON object")
    return row


def _json(path: Path, name: str) -> Iterator[NumberedRow]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise bad_row(name, line, f"not JSON ({error})", "a JSON list of objects") from error
    if not isinstance(rows, list):
        raise bad_row(name, 1, f"found {shown(rows)}", "a JSON list of objects")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise bad_row(name, number, f"found {shown(row)}", "a JSON object")
        yield number, row


def _csv(path: Path, name: str) -> Iterator[NumberedRow]:
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            if None in row or None in row.values():
                width = len(reader.fieldnames or [])
                raise bad_row(
                    name, reader.line_num, "wrong number of fields", f"{width} as the header has"
                )
            yield reader.line_num, dict(row)


def _parquet(path: Path, name: str) -> Iterator[NumberedRow]:
    import pyarrow.parquet

    number = itertools.count(1)
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                yield next(number), row
    except pyarrow.ArrowInvalid as error:
        raise bad_row(name, next(number), f"not parquet ({error})", "a parquet file") from error


_READERS: dict[str, Callable[[Path, str], Iterator[NumberedRow]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
