"""Rows that training could not render are refused before an accelerator is asked for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[3] / "bench"))

from small_models import make, plan_of

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan
from martlet_api.training import ROWS_OF, Tuner
from martlet_runtime import preflight
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

pytestmark = pytest.mark.torch

TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{{ m['content'] }} </s> {% endfor %}"
)
LONG = "a " * 40


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
    paths = Paths(tmp_path / "inputs", tmp_path / "work", tmp_path / "volumes")
    for folder in (paths.inputs, paths.work):
        folder.mkdir()
    base = make(paths.volumes / "models", 64, 1, 50) / "model"
    base.rename(paths.volumes / "models/base")
    config = json.loads((paths.volumes / "models/base/tokenizer_config.json").read_text())
    (paths.volumes / "models/base/chat_template.jinja").unlink(missing_ok=True)
    (paths.volumes / "models/base/tokenizer_config.json").write_text(
        json.dumps({**config, "chat_template": TEMPLATE})
    )
    good = {"text": "a b"} if method == "PT" else {"query": "a", "response": "b"}
    if method == "DPO":
        good["rejected_response"] = "a"
    lines = [json.dumps(line) for line in (good, row)]
    (paths.volumes / "rows.jsonl").write_text("\n".join(lines) + "\n")
    wanted = Input(name="dataset-0", kind="Dataset", uri="pvc://rows.jsonl", rows=ROWS_OF[method])
    estimate = plan_of(method, Tuner(), max_length=16, max_completion_length=4)
    plan = Plan(
        kind="FineTuneJob", namespace="n", name="x", run="r", inputs=[wanted], estimate=estimate
    )
    if says is None:
        assert preflight.run(plan, paths, Report()).succeeded
        return
    with pytest.raises(UserError) as caught:
        preflight.run(plan, paths, Report())
    assert caught.value.reason == Reason.DATASET_INVALID
    assert says in caught.value.message
