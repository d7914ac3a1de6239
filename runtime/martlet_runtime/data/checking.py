"""Reads a data file whole and says how many rows it has, or what is wrong with it."""

from pathlib import Path

from martlet_api.contract import Input
from martlet_runtime.data.audit import Audit
from martlet_runtime.data.evaluation import read_evaluation
from martlet_runtime.data.text import read_text
from martlet_runtime.data.training import BadRows, read_training


def count_rows(path: Path, wanted: Input, bad: BadRows, audit: Audit) -> int | None:
    """Rows that will be used; None for text, which has none. Training rows are seen by the
    audit."""
    if wanted.rows == "Evaluation":
        assert wanted.benchmark is not None
        return len(read_evaluation(path, wanted.uri, wanted.benchmark, wanted.max_samples))
    if wanted.rows == "Text":
        read_text(path, wanted.uri)
        return None
    return sum(1 for _ in audit.seen(read_training(path, wanted, bad), wanted.uri))
