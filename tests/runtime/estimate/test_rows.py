"""Rows that training could not render are refused before an accelerator is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[3] / "bench"))

from small_models import make, plan_of

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan
from martlet_api.training import ROWS_OF, Tuner
from martlet_runtime import preflight
from martlet_runtime.data import training
from martlet_runtime.errors import UserError
from martlet_runtime.estimate import flow
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch

TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{{ m['content'] }} </s> {% endfor %}"
)
LONG = "a " * 40


GOOD: dict[str, dict[str, Any]] = {
    "SFT": {"query": "a", "response": "b"},
    "DPO": {"query": "a", "response": "b", "rejected_response": "a"},
    "RLOO": {"query": "a", "response": "b"},
    "PT": {"text": "a b"},
}


def pod(root: Path) -> Paths:
    """A pod's folders, and a base whose template refuses a system prompt on its claim."""
    paths = Paths(root / "inputs", root / "work", root / "volumes", root / "termination")
    for folder in (paths.inputs, paths.work):
        folder.mkdir()
    base = make(paths.volumes / "models", 64, 1, 50) / "model"
    base.rename(paths.volumes / "models/base")
    config = json.loads((paths.volumes / "models/base/tokenizer_config.json").read_text())
    (paths.volumes / "models/base/chat_template.jinja").unlink(missing_ok=True)
    (paths.volumes / "models/base/tokenizer_config.json").write_text(
        json.dumps({**config, "chat_template": TEMPLATE})
    )
    return paths


def preflight_plan(method: str, *uris: str) -> Plan:
    inputs = [
        Input(name=f"dataset-{index}", kind="Dataset", uri=uri, rows=ROWS_OF[method])
        for index, uri in enumerate(uris)
    ]
    estimate = plan_of(method, Tuner(), max_length=16, max_completion_length=4)
    return Plan(
        kind="FineTuneJob", namespace="n", name="x", run="r", inputs=inputs, estimate=estimate
    )


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("method", "row", "says"),
    [
        ("SFT", {"query": "a", "response": "b"}, None),
        ("SFT", {"query": LONG, "response": "b"}, "Nothing could be learnt from the row"),
        ("SFT", {"system": "a", "query": "a", "response": "b"}, "template refuses the row"),
        ("DPO", {"query": LONG, "response": "b", "rejected_response": "a"}, "within 16 tokens"),
        ("RLOO", {"query": LONG}, "more than hyperparameters.maxLength 16"),
        ("PT", {"text": LONG}, None),
    ],
)
def test_every_row_is_rendered(
    method: str, row: dict[str, Any], says: str | None, tmp_path: Path
) -> None:
    paths = pod(tmp_path)
    write(paths.volumes / "rows.jsonl", GOOD[method], row)
    plan = preflight_plan(method, "pvc://rows.jsonl")
    if says is None:
        assert preflight.run(plan, paths, Report()).succeeded
        return
    with pytest.raises(UserError) as caught:
        preflight.run(plan, paths, Report())
    assert caught.value.reason == Reason.DATASET_INVALID
    assert says in caught.value.message


def test_each_file_is_read_once_and_the_tokenizer_loaded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, asked = pod(tmp_path), []
    for name in ("a.jsonl", "b.jsonl"):
        write(paths.volumes / name, GOOD["SFT"])
    for module, name in ((training, "rows_of"), (flow, "load_tokenizer")):
        monkeypatch.setattr(module, name, counted(getattr(module, name), asked))
    ended = preflight.run(preflight_plan("SFT", "pvc://a.jsonl", "pvc://b.jsonl"), paths, Report())
    assert ended.succeeded
    assert asked == ["load_tokenizer", "rows_of", "rows_of"]


def counted(function: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:
        asked.append(function.__name__)
        return function(*args, **more)

    return call
