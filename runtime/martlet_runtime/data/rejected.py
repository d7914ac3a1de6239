"""The rows that were left out, as a file for whoever mends them."""

import json
from pathlib import Path

from martlet_api.contract import RowsPlan
from martlet_api.finetunejob import RejectedRows
from martlet_runtime.artifacts import write_file
from martlet_runtime.data.rows import BadRow
from martlet_runtime.paths import Paths

_FILE = "rejected.jsonl"


def write(plan: RowsPlan | None, rows: list[BadRow], paths: Paths) -> RejectedRows | None:
    """``{"file", "line", "found", "expected", "row"}`` a line; None where none was left out."""
    if not rows:
        return None
    assert plan is not None
    assert plan.uri is not None
    uri = f"{plan.uri}/{_FILE}"
    digest = write_file(paths.of_claim(uri), "".join(map(_line, rows)))
    return RejectedRows(uri=uri, digest=digest, rows=len(rows))


def _line(bad: BadRow) -> str:
    told = {
        "file": Path(bad.file).name,
        "line": bad.line,
        "found": bad.found,
        "expected": bad.expected,
        "row": bad.content,
    }
    return json.dumps(told, ensure_ascii=True, default=str) + "\n"
