"""Rows of a data file: jsonl, json, csv or parquet."""

import csv
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.data import json_array
from martlet_runtime.errors import UserError

Row = dict[str, Any]

_SHOWN = 120
_SNIFFED = 4096


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used. ``line`` is where it stands (jsonl, csv) or its position (json,
    parquet), from 1; ``content`` is what stands there."""

    file: str
    line: int
    found: str
    expected: str
    content: Any

    def error(self) -> UserError:
        return bad_row(self.file, self.line, self.found, self.expected)


NumberedRow = tuple[int, Row | BadRow]


def rows_of(
    path: Path, name: str, max_samples: int | None, form: str = "Auto"
) -> Iterator[NumberedRow]:
    """At most ``max_samples`` rows. ``name`` is the file as the user named it, ``form`` the
    format as the spec names it."""
    reader = _READERS[_form(path, name) if form == "Auto" else form]
    return itertools.islice(reader(path, Path(name).name), max_samples)


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


def _form(path: Path, name: str) -> str:
    """By the name's ending, else by what the file begins with."""
    ending = Path(name).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    with path.open("rb") as stream:
        beginning = stream.read(_SNIFFED)
    signs = {b"PAR1": "Parquet", b"[": "JSON", b"{": "JSONL"}
    for sign, form in signs.items():
        if beginning.lstrip().startswith(sign):
            return form
    raise UserError(
        Reason.DATASET_INVALID,
        f"{name} is of no known format: its name ends in none of {', '.join(_ENDINGS)}, and it "
        "begins like none of them. Name the format beside the uri.",
    )


def _jsonl(path: Path, name: str) -> Iterator[NumberedRow]:
    with path.open(encoding="utf-8", errors="surrogateescape") as stream:
        for line, text in enumerate(stream, start=1):
            if text.strip():
                yield line, _object(text, name, line)


def _object(text: str, name: str, line: int) -> Row | BadRow:
    try:
        row = json.loads(text)
    except ValueError as error:
        return BadRow(name, line, f"not JSON ({error})", "one JSON object a line", text.rstrip())
    return _row(row, name, line)


def _row(value: Any, name: str, line: int) -> Row | BadRow:
    if isinstance(value, dict):
        return value
    return BadRow(name, line, f"found {shown(value)}", "a JSON object", value)


def _json(path: Path, name: str) -> Iterator[NumberedRow]:
    number = 0
    try:
        for number, value in enumerate(json_array.elements(path), start=1):
            yield number, _row(value, name, number)
    except ValueError as error:
        expected = "a JSON list of objects; where each line is an object, name the format JSONL"
        raise bad_row(name, number + 1, str(error), expected) from error


def _csv(path: Path, name: str) -> Iterator[NumberedRow]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        reader = csv.DictReader(stream)
        try:
            for row in reader:
                yield reader.line_num, _fields(row, reader, name)
        except csv.Error as error:
            expected = (
                f"fields of at most {csv.field_size_limit()} characters; longer ones fit jsonl"
            )
            line = reader.reader.line_num  # its own is of the row before
            raise bad_row(name, line, f"not CSV ({error})", expected) from error


def _fields(row: Row, reader: Any, name: str) -> Row | BadRow:
    if None not in row and None not in row.values():
        return dict(row)
    width = len(reader.fieldnames or [])
    content = {str(key): value for key, value in row.items()}
    expected = f"{width} as the header has"
    return BadRow(name, reader.line_num, "wrong number of fields", expected, content)


def _parquet(path: Path, name: str) -> Iterator[NumberedRow]:
    import pyarrow.parquet

    number = itertools.count(1)
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                yield next(number), row
    except pyarrow.ArrowInvalid as error:
        raise bad_row(name, next(number), f"not parquet ({error})", "a parquet file") from error


_ENDINGS = {".jsonl": "JSONL", ".json": "JSON", ".csv": "CSV", ".parquet": "Parquet"}
_READERS: dict[str, Callable[[Path, str], Iterator[NumberedRow]]] = {
    "JSONL": _jsonl,
    "JSON": _json,
    "CSV": _csv,
    "Parquet": _parquet,
}
