"""Rows to train or calibrate on."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import Input, RowsPlan
from martlet_runtime.data.rows import BadRow, rows_of
from martlet_runtime.data.shapes import SHAPES
from martlet_runtime.errors import RowError, UserError

Row = dict[str, Any]
Render = Callable[[Row], Iterable[Row]]
"""From a row in its shape to what a trainer takes, RowError where that cannot be; a row may become
several."""


class BadRows:
    """What is done about rows that cannot be used: none is dropped in silence."""

    def __init__(self, plan: RowsPlan | None = None) -> None:
        self._plan = plan or RowsPlan()
        self.rejected: list[BadRow] = []

    def take(self, bad: BadRow) -> None:
        """UserError where no bad row may be left out, or no further one."""
        if self._plan.on_bad_rows == "Fail":
            raise bad.error()
        if len(self.rejected) == self._plan.limit:
            raise UserError(
                Reason.DATASET_INVALID,
                f"More than {self._plan.limit} bad rows; the next is {bad.file}:{bad.line}: "
                f"{bad.found}; expected {bad.expected}. Correct the files, or raise "
                "spec.badRowsLimit.",
            )
        self.rejected.append(bad)


def read_training(path: Path, wanted: Input, bad: BadRows | None = None) -> Iterator[Row]:
    """Rows in their shape (``data.shapes``), one after the other; DatasetEmpty where there is
    none. Left out, ``bad`` makes the first bad row an error."""
    for row, _ in read_rendered(path, wanted, bad or BadRows(), as_it_is):
        yield row


def as_it_is(row: Row) -> Iterable[Row]:
    """The rendering of rows that no trainer takes."""
    return (row,)


def read_rendered(
    path: Path, wanted: Input, bad: BadRows, render: Render
) -> Iterator[tuple[Row, list[Row]]]:
    """``read_training``'s rows, each with what is rendered of it. One that cannot be rendered is a
    bad row. Preflight and training both read by this, so that both leave out the same rows."""
    found, last = False, None
    for line, row in rows_of(path, wanted.uri, wanted.max_samples, wanted.format or "Auto"):
        usable = row if isinstance(row, BadRow) else _rendered(row, line, wanted, render)
        if isinstance(usable, BadRow):
            bad.take(usable)
            last = usable
            continue
        found = True
        yield usable
    if not found:
        raise _none_left(last) if last else empty(wanted.uri)


def _rendered(row: Row, line: int, wanted: Input, render: Render) -> tuple[Row, list[Row]] | BadRow:
    try:
        shaped = _shaped(row, wanted)
        return shaped, list(render(shaped))
    except RowError as error:
        return BadRow(Path(wanted.uri).name, line, error.found, error.expected, row)


def _shaped(row: Row, wanted: Input) -> Row:
    assert wanted.rows is not None
    shape, expected = SHAPES[wanted.rows]
    try:
        _check_columns(row, wanted.columns or [])
        return shape(row)
    except ValueError as error:
        raise RowError(str(error), expected) from error


def _check_columns(row: Row, wanted: list[str]) -> None:
    for name in wanted:
        if row.get(name) is None:
            raise ValueError(f"no column {name}, which a reward compares with")


def _none_left(last: BadRow) -> UserError:
    return UserError(
        Reason.DATASET_EMPTY,
        f"All rows of {last.file} are bad; the last is in line {last.line}: {last.found}; expected "
        f"{last.expected}. Correct the file, then set a new spec.retry.",
    )


def empty(name: str) -> UserError:
    return UserError(
        Reason.DATASET_EMPTY, f"{name} holds no rows. Fill it, then set a new spec.retry."
    )
