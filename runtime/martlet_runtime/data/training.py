"""Rows to train or calibrate on."""

from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.data.formats import EXPECTED, to_messages
from martlet_runtime.data.rows import bad_row, rows_of
from martlet_runtime.errors import UserError


def read_training(path: Path, name: str, max_samples: int | None = None) -> list[dict[str, Any]]:
    """``{"messages": [...]}`` a row. The first row that is wrong is an error: none is dropped."""
    out = []
    for line, row in rows_of(path, name, max_samples):
        try:
            out.append({"messages": to_messages(row)})
        except ValueError as error:
            raise bad_row(name, line, str(error), EXPECTED) from error
    if not out:
        raise empty(name)
    return out


def empty(name: str) -> UserError:
    return UserError(
        Reason.DATASET_EMPTY, f"{name} holds no rows. Fill it, then set a new spec.retry."
    )
