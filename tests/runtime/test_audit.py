"""What people see of the rows before training: a sample, and the rows that were left out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from martlet_api.contract import Input, Plan, RowsPlan, Termination
from martlet_runtime import preflight
from martlet_runtime.artifacts import list_files
from martlet_runtime.data import Audit
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

URI = "pvc://models/x/r-preflight"


def rows(count: int) -> list[dict[str, Any]]:
    return [{"number": number} for number in range(count)]


def sampled(tmp_path: Path, count: int, fraction: float = 0.05, seed: int = 1) -> list[int]:
    """The numbers of the rows in the sample."""
    paths = Paths(volumes=tmp_path)
    audit = Audit(RowsPlan(audit_fraction=fraction, seed=seed, uri=URI))
    assert len(list(audit.seen(iter(rows(count)), "pvc://d/a.jsonl"))) == count
    found = audit.write(paths)
    assert found is not None
    path = paths.of_claim(found.sample)
    assert found.digest == list_files(path).digest
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert found.rows == len(lines)
    assert {line["file"] for line in lines} == {"a.jsonl"}
    return [line["row"]["number"] for line in lines]


@pytest.mark.parametrize("count", [1, 19, 999, 1000, 3456])
@pytest.mark.parametrize("fraction", [0.05, 0.3, 1])
def test_every_thousand_rows_have_their_share(tmp_path: Path, count: int, fraction: float) -> None:
    seen = sampled(tmp_path, count, fraction)
    assert len(seen) == len(set(seen))
    for start in range(0, count, 1000):
        block = min(1000, count - start)
        share = sum(start <= number < start + 1000 for number in seen)
        assert share == math.ceil(block * fraction)


def test_the_same_seed_draws_the_same_rows(tmp_path: Path) -> None:
    assert sampled(tmp_path, 2000) == sampled(tmp_path, 2000)
    assert sampled(tmp_path, 2000) != sampled(tmp_path, 2000, seed=2)


def checked(tmp_path: Path, plan: RowsPlan, text: str) -> Termination:
    paths = Paths(tmp_path / "inputs", tmp_path / "work", tmp_path / "volumes")
    for folder in (paths.inputs, paths.work, paths.volumes / "data"):
        folder.mkdir(parents=True)
    (paths.volumes / "data/a.jsonl").write_text(text)
    wanted = Input(name="dataset-0", kind="Dataset", uri="pvc://data/a.jsonl", rows="Conversation")
    return preflight.run(
        Plan(kind="FineTuneJob", namespace="n", name="x", run="r", inputs=[wanted], rows=plan),
        paths,
        Report(),
    )


GOOD = '{"query": "q", "response": "a"}\n'


def test_rows_that_were_left_out_are_counted_and_kept(tmp_path: Path) -> None:
    plan = RowsPlan(on_bad_rows="Skip", limit=2, audit_fraction=1, uri=URI)
    told = checked(tmp_path, plan, GOOD + "{oops\n" + GOOD + '{"query": "q"}\n')
    assert told.resolved is not None
    assert (told.resolved[0].rows, told.resolved[0].rejected_rows) == (2, 2)
    assert told.audit is not None
    assert told.audit.rows == 2
    assert told.rejected is not None
    lines = (tmp_path / "volumes/models/x/r-preflight/rejected.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert [(row["file"], row["line"], row["row"]) for row in kept] == [
        ("a.jsonl", 2, "{oops"),
        ("a.jsonl", 4, {"query": "q"}),
    ]
    assert kept[1]["found"] == "the last turn is no answer of the assistant"
    assert "messages" in kept[1]["expected"]


def test_where_none_was_left_out_nothing_is_written(tmp_path: Path) -> None:
    told = checked(tmp_path, RowsPlan(uri=URI), GOOD)
    assert told.rejected is None
    assert told.audit is None
    written = [path.name for path in (tmp_path / "volumes/models/x/r-preflight").iterdir()]
    assert written == ["asked.digests"]
