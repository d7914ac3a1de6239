"""Reads a data file whole and says how many rows it has, or what is wrong with it."""

from pathlib import Path

from martlet_api.contract import Input
from martlet_runtime.data.evaluation import read_evaluation
from martlet_runtime.data.text import read_text
from martlet_runtime.data.training import read_training


def count_rows(path: Path, wanted: Input) -> int | None:
    """Rows that will be used; None for text, which has none."""
    if wanted.rows == "Training":
        return len(read_training(path, wanted.uri, wanted.max_samples))
    if wanted.rows == "Evaluation":
        assert wanted.benchmark is not None
        return len(read_evaluation(path, wanted.uri, wanted.benchmark, wanted.max_samples))
    read_text(path, wanted.uri)
    return None
