"""Rows of test sets, in the shapes of EvalScope's general benchmarks."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from martlet_runtime.data.rows import BadRow, bad_row, rows_of
from martlet_runtime.data.training import empty

Row = dict[str, Any]
_LETTERS = "ABCDEFGHIJ"


def read_evaluation(
    path: Path, name: str, benchmark: str, max_samples: int | None = None
) -> list[Row]:
    """The rows as they are, each checked; the first that is wrong is an error."""
    return [row for _, row in read_numbered(path, name, benchmark, max_samples)]


def read_numbered(
    path: Path, name: str, benchmark: str, max_samples: int | None = None
) -> Iterator[tuple[int, Row]]:
    """Each with its line, or its position where a file has no lines."""
    problem, expected = _CHECKS[benchmark]
    line = None
    for line, row in rows_of(path, name, max_samples):
        if isinstance(row, BadRow):
            raise row.error()
        if wrong := problem(row):
            raise bad_row(name, line, wrong, expected)
        yield line, row
    if line is None:
        raise empty(name)


def _qa_problem(row: Row) -> str | None:
    if "messages" in row:
        return None if isinstance(row["messages"], list) else "messages is not a list"
    missing = [key for key in ("query", "response") if not isinstance(row.get(key), str)]
    return f"{' and '.join(missing)} missing or not a text" if missing else None


def _mcq_problem(row: Row) -> str | None:
    choices = [letter for letter in _LETTERS if letter in row]
    if not isinstance(row.get("question"), str):
        return "question missing or not a text"
    if len(choices) < 2:
        return "fewer than two choices"
    if row.get("answer") not in choices:
        return f"the answer {row.get('answer')!r} is none of {', '.join(choices)}"
    return None


_CHECKS: dict[str, tuple[Callable[[Row], str | None], str]] = {
    "general_qa": (_qa_problem, "query and response"),
    "general_mcq": (_mcq_problem, "question, choices A, B, ... and answer, the letter of one"),
}
