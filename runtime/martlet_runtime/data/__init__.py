"""Data files: rows with their line numbers, and what rows must be."""

from martlet_runtime.data.audit import Audit
from martlet_runtime.data.evaluation import read_evaluation, read_numbered
from martlet_runtime.data.text import read_text
from martlet_runtime.data.trained import TrainedOn
from martlet_runtime.data.training import BadRows, Render, read_rendered, read_training

__all__ = [
    "Audit",
    "BadRows",
    "Render",
    "TrainedOn",
    "read_evaluation",
    "read_numbered",
    "read_rendered",
    "read_text",
    "read_training",
]
