"""Rows that cannot be rendered are bad rows, to preflight as to training."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[3] / "bench"))

from small_models import END, make, plan_of
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from trainer_builders import train_plan
from transformers import PreTrainedTokenizerFast

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, RowsPlan, Termination
from martlet_api.training import ROWS_OF, Tuner
from martlet_runtime import preflight
from martlet_runtime.data import training
from martlet_runtime.errors import UserError
from martlet_runtime.estimate import flow
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train import flow as train_flow

pytestmark = pytest.mark.torch

TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{{ m['content'] }}</s>{% for call in m['tool_calls'] or [] %}"
    "{% for name, value in call['function']['arguments'] | items %}{{ name }}{% endfor %}"
    "{% endfor %}{% endfor %}"
)
LONG = "a" * 40
URI = "pvc://models/x/r-preflight"


GOOD: dict[str, dict[str, Any]] = {
    "SFT": {"query": "a", "response": "b"},
    "DPO": {"query": "a", "response": "b", "rejected_response": "a"},
    "RLOO": {"query": "a", "response": "b"},
    "PT": {"text": "a b"},
}


def pod(root: Path) -> Paths:
    """A pod's folders, and on a claim a base whose template refuses a system prompt and a token is
    a letter."""
    paths = Paths(root / "inputs", root / "work", root / "volumes", root / "termination")
    for folder in (paths.inputs, paths.work):
        folder.mkdir()
    base = make(paths.volumes / "models", 64, 1, 300) / "model"
    letters().save_pretrained(base)
    base.rename(paths.volumes / "models/base")
    return paths


def letters() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, chat_template=TEMPLATE
    )


def inputs_of(method: str, *uris: str) -> list[Input]:
    return [
        Input(name=f"dataset-{index}", kind="Dataset", uri=uri, rows=ROWS_OF[method])
        for index, uri in enumerate(uris)
    ]


def preflight_plan(method: str, *uris: str, rows: RowsPlan | None = None) -> Plan:
    estimate = plan_of(method, Tuner(), max_length=16, max_completion_length=4)
    return Plan(
        kind="FineTuneJob",
        namespace="n",
        name="x",
        run="r",
        inputs=inputs_of(method, *uris),
        rows=rows,
        estimate=estimate,
    )


def write(path: Path, *rows: dict[str, Any]) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


CALL = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
]


@pytest.mark.parametrize(
    ("method", "row", "says"),
    [
        ("SFT", {"query": "a", "response": "b"}, None),
        ("SFT", {"query": LONG, "response": "b"},
         'nothing could be learnt from the row that begins "aaaa'),
        ("SFT", {"system": "s", "query": "a", "response": "b"},
         'template refuses the row that begins "s" (no system); expected turns that it takes'),
        ("SFT", {"messages": CALLED}, "refuses the row that begins \"a\" (Can only get item pairs"),
        ("SFT", {"query": "a", "response": "b", "tools": ["x"]}, "(Tools should either be"),
        ("SFT", {"query": "a\ud800", "response": "b"},
         "'\\ud800' in the row that has \"a\" is no character; expected text in UTF-8"),
        ("DPO", {"query": LONG, "response": "b", "rejected_response": "a"}, "within 16 tokens"),
        ("RLOO", {"query": LONG}, "has 41 tokens; expected at most 16, or a greater"),
        ("PT", {"text": LONG}, None),
        ("PT", {"text": "\ud800"}, "is no character"),
    ],
)  # fmt: skip
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
    assert caught.value.message.startswith("rows.jsonl:2: ")
    assert says in caught.value.message


ANSWERED = [{"system": "", "query": letter, "response": "b"} for letter in "cdefghij"]
REFUSED = {"system": "s", "query": "a", "response": "b"}
CUT_OFF = {"system": "", "query": LONG, "response": "b"}
MIXED = [*ANSWERED[:3], REFUSED, *ANSWERED[3:6], CUT_OFF, *ANSWERED[6:]]


def skipping(limit: int) -> RowsPlan:
    return RowsPlan(on_bad_rows="Skip", limit=limit, audit_fraction=1, uri=URI)


def trained(paths: Paths, name: str, rows: RowsPlan) -> Termination:
    """Two epochs on a file of the volume, in a pod of their own."""
    own = paths.work / f"train-{name}"
    there = Paths(own / "inputs", own / "work", paths.volumes, own / "termination")
    for folder in (there.inputs, there.work):
        folder.mkdir(parents=True)
    (there.inputs / "model").symlink_to(paths.volumes / "models/base")
    (there.inputs / "dataset-0").symlink_to(paths.volumes / name)
    settings = {"epochs": 2, "global_batch_size": 4, "max_length": 16}
    plan = train_plan(name, hyperparameters=settings)
    update = {"inputs": inputs_of("SFT", f"pvc://{name}"), "rows": rows}
    return train_flow.run(plan.model_copy(update=update), there, Report())


@pytest.mark.parametrize(("name", "before"), [("rows.jsonl", 0), ("rows.csv", 1)])
def test_preflight_and_training_leave_out_the_same_rows(
    name: str, before: int, tmp_path: Path
) -> None:
    """``before``: lines before the first row."""
    paths = pod(tmp_path)
    write(paths.volumes / name, *MIXED)
    write(paths.volumes / "clean.jsonl", *ANSWERED)
    plan = preflight_plan("SFT", f"pvc://{name}", rows=skipping(2))
    told = preflight.run(plan, paths, Report())
    assert told.resolved is not None
    assert (told.resolved[0].rows, told.resolved[0].rejected_rows) == (8, 2)

    seen, rejected = (
        [json.loads(line) for line in (paths.of_claim(URI) / file).read_text().splitlines()]
        for file in ("audit.jsonl", "rejected.jsonl")
    )
    asked = [line["row"]["messages"][0]["content"] for line in seen]
    assert asked == [row["query"] for row in ANSWERED]
    assert [(bad["file"], bad["line"], bad["row"]) for bad in rejected] == [
        (name, 4 + before, REFUSED),
        (name, 8 + before, CUT_OFF),
    ]
    assert "(no system)" in rejected[0]["found"]
    assert "within 16 tokens" in rejected[1]["expected"]

    dirty, clean = (trained(paths, file, skipping(2)).train for file in (name, "clean.jsonl"))
    assert dirty is not None
    assert clean is not None
    assert (dirty.steps, dirty.loss) == (clean.steps, clean.loss)
    assert dirty.steps == 4
    weights = [
        (paths.of_claim(result.artifact.uri) / "adapter_model.safetensors").read_bytes()
        for result in (dirty, clean)
    ]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (skipping(1), r"More than 1 bad rows; the next is rows\.jsonl:8: nothing could be learnt"),
        (RowsPlan(), r"rows\.jsonl:4: the model's chat template refuses the row"),
    ],
)
def test_preflight_and_training_stop_at_the_same_row(
    rows: RowsPlan, says: str, tmp_path: Path
) -> None:
    paths = pod(tmp_path)
    write(paths.volumes / "rows.jsonl", *MIXED)
    with pytest.raises(UserError, match=says) as preflights:
        preflight.run(preflight_plan("SFT", "pvc://rows.jsonl", rows=rows), paths, Report())
    with pytest.raises(UserError, match=says) as trainings:
        trained(paths, "rows.jsonl", rows)
    assert preflights.value.message == trainings.value.message


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
