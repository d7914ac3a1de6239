"""EvalScope's own benchmarks over a few rows in their form, really run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from martlet_api import benchmarks
from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, Termination
from martlet_api.evalrun import Suite
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate import catalog, flow
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch

CARD = """---
configs:
- config_name: {subset}
  data_files:
  - {{split: {split}, path: {split}.jsonl}}
  - {{split: dev, path: dev.jsonl}}
---
"""


def folder(root: Path, subset: str, split: str, rows: list[dict[str, Any]]) -> Path:
    """A benchmark's data as its repository has it."""
    root.mkdir()
    (root / "README.md").write_text(CARD.format(subset=subset, split=split))
    for name in (split, "dev"):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (root / f"{name}.jsonl").write_text(lines)
    # As old repositories have it; EvalScope removes it, which a volume does not let it.
    (root / "dataset_infos.json").write_text("{}")
    return root


CEVAL = [
    {"id": n, "question": f"第{n}个是哪个？", "A": "一", "B": "二", "C": "三", "D": "四",
     "answer": "AB"[n % 2], "explanation": ""}
    for n in range(6)
]  # fmt: skip
MMLU = [
    {"question": f"Which is number {n}?", "subject": "anatomy", "choices": ["a", "b", "c", "d"],
     "answer": n % 2}
    for n in range(6)
]  # fmt: skip
SHAPES = {
    "ceval": ("logic", "val", CEVAL, ["logic"], "答案：A"),
    "mmlu": ("all", "test", MMLU, ["anatomy"], "ANSWER: A"),
}


@pytest.fixture
def scored(engine: Any, pod: Callable[..., Paths]) -> Callable[..., Termination]:
    def run(benchmark: str, data: Path, **fields: Any) -> Termination:
        uri = "pvc://data/folder"
        suite = Suite.model_validate(
            {"name": "s", "benchmark": benchmark, "dataset": {"uri": uri}, **fields}
        )
        inputs = [Input(name="suite-s", kind="Folder", uri=uri, benchmark=benchmark)]
        evaluate = engine.plan(suite)
        plan = Plan(
            kind="EvalRun", namespace="n", name="e", run="r", inputs=inputs, evaluate=evaluate
        )
        return flow.run(plan, pod(suite_s=data), Report())

    return run


@pytest.mark.parametrize("benchmark", SHAPES)
def test_a_benchmark_is_scored_over_the_folder_of_its_data(
    benchmark: str, scored: Callable[..., Termination], engine: Any, tmp_path: Path
) -> None:
    subset, split, rows, subsets, answer = SHAPES[benchmark]
    engine.answers = {"": answer}
    data = folder(tmp_path / "data", subset, split, rows)
    ended = scored(benchmark, data, subsets=subsets, limit=4, fewShot=1)
    assert ended.evaluate is not None
    (score,) = ended.evaluate.scores
    assert (score.metric, score.value, score.samples) == ("mean_acc", 0.5, 4)
    assert score.incomplete == 0
    assert len(engine.asked) == 4
    assert (data / "dataset_infos.json").exists()


def test_a_folder_that_is_not_the_benchmark_s_is_told(
    scored: Callable[..., Termination], tmp_path: Path
) -> None:
    data = folder(tmp_path / "data", "other", "val", CEVAL)
    with pytest.raises(UserError) as caught:
        scored("ceval", data, subsets=["logic"])
    assert caught.value.reason == Reason.DATASET_INVALID
    assert "logic" in caught.value.message


def test_the_table_is_that_of_the_evalscope_that_scores() -> None:
    text = (Path(benchmarks.__file__).parent / benchmarks.TABLE).read_text(encoding="utf-8")
    assert text == catalog.text()
