"""A page of rows for people: one file, nothing fetched, nothing run."""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from martlet_runtime.evaluate.pairing import Changed
from martlet_runtime.evaluate.samples import Sample

FILE = "report.html"
_MOST_ROWS = 1000
"""A page with more is too long to read; the rows themselves are beside it."""


def of_samples(path: Path, title: str, rows: list[Sample]) -> None:
    lines = [
        (row.suite, row.id, row.asked, row.target, row.answer, _scores(row))
        for row in rows[:_MOST_ROWS]
    ]
    _write(path, title, ("suite", "row", "asked", "expected", "answered", "scores"), lines, rows)


def of_changes(path: Path, title: str, rows: list[Changed]) -> None:
    lines = [
        (
            row.model.suite,
            row.model.id,
            row.model.asked,
            row.model.target,
            row.baseline.answer,
            row.model.answer,
            f"{row.metric} {row.before:.4g} → {row.after:.4g}",
        )
        for row in rows[:_MOST_ROWS]
    ]
    heads = ("suite", "row", "asked", "expected", "baseline answered", "answered", "score")
    _write(path, title, heads, lines, rows)


def _write(
    path: Path,
    title: str,
    heads: tuple[str, ...],
    lines: Iterable[tuple[str, ...]],
    rows: list[Sample] | list[Changed],
) -> None:
    from jinja2 import Environment

    text = files("martlet_runtime.evaluate").joinpath("page.html.jinja").read_text()
    template = Environment(autoescape=True).from_string(text)
    left_out = max(0, len(rows) - _MOST_ROWS)
    page = template.render(title=title, heads=heads, lines=lines, left_out=left_out)
    path.write_text(page, encoding="utf-8")


def _scores(row: Sample) -> str:
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.scores.items())
    return "\n".join(filter(None, (numbers, row.error, row.judgement)))
