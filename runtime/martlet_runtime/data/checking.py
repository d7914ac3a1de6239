"""Reads a data file whole and says how many rows it has, or what is wrong with it."""

from pathlib import Path

from martlet_api.contract import Input
from martlet_runtime.data.audit import Audit
from martlet_runtime.data.evaluation import read_evaluation
from martlet_runtime.data.text import read_text
from martlet_runtime.data.trained import TrainedOn
from martlet_runtime.data.training import BadRows, Render, read_rendered


def count_rows(
    path: Path,
    wanted: Input,
    bad: BadRows,
    audit: Audit,
    render: Render,
    trained: TrainedOn,
) -> int | None:
    """Rows that will be used; None for text, which has none. Training rows are rendered, and those
    that can be are seen by the audit and noted as trained on, all in one pass."""
    if wanted.rows == "Evaluation":
        assert wanted.benchmark is not None
        return len(read_evaluation(path, wanted.uri, wanted.benchmark, wanted.max_samples))
    if wanted.rows == "Text":
        read_text(path, wanted.uri)
        return None
    rows = (row for row, _ in read_rendered(path, wanted, bad, render))
    return sum(1 for _ in trained.seen(audit.seen(rows, wanted.uri), wanted))
