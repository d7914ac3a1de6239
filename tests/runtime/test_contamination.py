"""Test sets beside training sets, from the data files to the counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_api.contract import (
    ContaminationPlan,
    ContaminationResult,
    Input,
    Plan,
    RowsPlan,
    Termination,
)
from martlet_api.evalrun import Overlap
from martlet_api.runs import TrainingSet
from martlet_runtime import preflight
from martlet_runtime.artifacts import list_files
from martlet_runtime.data.digests import Known
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

TRAIN = [
    {"messages": [{"role": "user", "content": f"Where is number {number}?"},
                  {"role": "assistant", "content": "here"}]}
    for number in range(0, 40, 2)
]  # fmt: skip
TEST = [{"query": f"where  IS number {number}?", "response": "here"} for number in range(20)]
CHOICES = [
    {"question": f"Where is number {number}?", "A": "here", "B": "there", "answer": "A"}
    for number in (1, 2, 3)
]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(*(tmp_path / name for name in ("inputs", "work", "volumes", "end")))
    for folder in (found.inputs, found.work, found.volumes / "data"):
        folder.mkdir(parents=True)
    return found


def lines(paths: Paths, name: str, rows: list[Any]) -> None:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    (paths.volumes / "data" / name).write_text(text)


def data(name: str, rows: Any = "Conversation", file: str = "train.jsonl", **more: Any) -> Input:
    return Input(name=name, kind="Dataset", uri=f"pvc://data/{file}", rows=rows, **more)


def trained(paths: Paths, *inputs: Input, name: str = "tuned", **rows: Any) -> TrainingSet:
    """What the preflight of a FineTuneJob writes."""
    plan = Plan(
        kind="FineTuneJob",
        namespace="n",
        name=name,
        run="r",
        inputs=list(inputs),
        rows=RowsPlan(uri=f"pvc://models/{name}/r-preflight", **rows),
    )
    found = preflight.run(plan, paths, Report()).trained_on
    assert found is not None
    return found


def asked_in(paths: Paths, found: TrainingSet) -> int:
    assert found.uri is not None
    path = paths.of_claim(found.uri)
    assert list_files(path).digest == found.digest
    return len(Known(path))


def suite(file: str, benchmark: str | None = "general_qa", **more: Any) -> Input:
    rows = "Evaluation" if benchmark else "Text"
    return data("suite-s", rows, file, benchmark=benchmark, **more)


def compared(paths: Paths, wanted: Input, *sets: TrainingSet) -> Termination:
    """An EvalRun's preflight of one suite, which it locks if that has no digest."""
    plan = ContaminationPlan(trained_on=list(sets), suites=[wanted])
    return preflight.run(
        Plan(
            kind="EvalRun",
            namespace="n",
            name="e",
            run="r",
            inputs=[] if wanted.digest else [wanted],
            contamination=plan,
        ),
        paths,
        Report(),
    )


def counted(paths: Paths, wanted: Input, *sets: TrainingSet) -> Overlap:
    found = compared(paths, wanted, *sets).contamination
    assert found is not None
    assert found.unknown == []
    (overlap,) = found.suites
    return overlap


def test_preflight_of_training_writes_what_its_rows_ask(paths: Paths) -> None:
    lines(paths, "train.jsonl", [*TRAIN, *TRAIN[:3]])
    found = trained(paths, data("dataset-0"))
    assert (found.resource, found.rows) == ("FineTuneJob/tuned", 23)
    assert found.uri == "pvc://models/tuned/r-preflight/asked.digests"
    assert asked_in(paths, found) == 20
    assert trained(paths, data("dataset-0")) == found


def test_only_rows_that_are_trained_on_count(paths: Paths) -> None:
    """Of all training data sets; not left out rows, nor those of the validation's own."""
    lines(paths, "train.jsonl", [*TRAIN[:5], "{broken"])
    lines(paths, "more.jsonl", TRAIN[4:9])
    lines(paths, "held.jsonl", TRAIN[10:])
    inputs = (
        data("dataset-0"),
        data("dataset-1", file="more.jsonl", max_samples=3),
        data("validation", file="held.jsonl"),
    )
    found = trained(paths, *inputs, on_bad_rows="Skip", limit=1)
    assert (found.rows, asked_in(paths, found)) == (8, 7)


@pytest.mark.parametrize(
    ("rows", "benchmark", "more", "expected"),
    [
        (TEST, "general_qa", {}, (20, 10, [1, 3, 5, 7, 9])),
        (TEST, "general_qa", {"max_samples": 4}, (4, 2, [1, 3])),
        (["", *TEST[2:4]], "general_qa", {}, (2, 1, [2])),
        (CHOICES, "general_mcq", {}, (3, 1, [2])),
        (TEST[1:2], "general_qa", {}, (1, 0, None)),
    ],
)
def test_rows_that_ask_what_was_trained_on_are_counted_and_named(
    paths: Paths, rows: list[Any], benchmark: str, more: Any, expected: tuple[int, int, Any]
) -> None:
    lines(paths, "train.jsonl", TRAIN)
    lines(paths, "test.jsonl", rows)
    written = trained(paths, data("dataset-0"))
    found = counted(paths, suite("test.jsonl", benchmark, **more), written)
    assert (found.suite, found.rows, found.trained, found.lines) == ("s", *expected)
    assert found.by == (["FineTuneJob/tuned"] if found.trained else None)


def test_the_training_sets_of_a_chain_count_together(paths: Paths) -> None:
    lines(paths, "train.jsonl", TRAIN[:4])
    lines(paths, "more.jsonl", TRAIN[3:6])
    lines(paths, "else.jsonl", [{"query": "else", "response": "x"}])
    lines(paths, "test.jsonl", TEST)
    sets = [
        trained(paths, data("dataset-0", file=file), name=name)
        for name, file in (("b", "train.jsonl"), ("a", "more.jsonl"), ("c", "else.jsonl"))
    ]
    found = counted(paths, suite("test.jsonl"), *sets)
    assert (found.trained, found.by) == (6, ["FineTuneJob/a", "FineTuneJob/b"])


STORY = "A tale.\n\nMigo lives in the barn.\nShe likes it.\n\nThe end.\nWell.\n"


@pytest.mark.parametrize(
    ("rows", "count", "first"),
    [
        ([{"text": "migo lives in the barn."}], 1, [3]),
        ([{"text": "Migo lives in the barn.\nShe likes it."}], 2, [3, 4]),
        ([{"text": STORY}], 5, [1, 3, 4, 6, 7]),
        ([{"text": "The end."}, {"text": "Well."}, {"text": "Well."}], 2, [6, 7]),
        ([{"text": "She likes it.\n\nThe end."}], 0, None),
    ],
)
def test_of_a_text_lines_are_counted_that_were_rows_of_training(
    paths: Paths, rows: list[Any], count: int, first: list[int] | None
) -> None:
    lines(paths, "train.jsonl", rows)
    (paths.volumes / "data/story.txt").write_text(STORY)
    written = trained(paths, data("dataset-0", "LanguageModeling"))
    found = counted(paths, suite("story.txt", None), written)
    assert (found.rows, found.trained, found.lines) == (5, count, first)


def test_a_suite_of_a_known_digest_is_compared_though_nothing_is_to_be_locked(
    paths: Paths,
) -> None:
    lines(paths, "train.jsonl", TRAIN)
    lines(paths, "test.jsonl", TEST)
    written = trained(paths, data("dataset-0"))
    digest = list_files(paths.volumes / "data/test.jsonl").digest
    ended = compared(paths, suite("test.jsonl", digest=digest), written)
    assert ended.resolved == []
    assert ended.contamination is not None
    assert ended.contamination.suites[0].trained == 10
    lines(paths, "test.jsonl", TEST[:5])
    with pytest.raises(UserError) as caught:
        compared(paths, suite("test.jsonl", digest=digest), written)
    assert caught.value.reason == Reason.DIGEST_MISMATCH


def spoil(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(("how", "says"), [("gone", "does not exist"), ("changed", "was locked")])
def test_a_training_set_that_is_not_as_it_was_written_is_unknown(
    paths: Paths, how: str, says: str
) -> None:
    lines(paths, "train.jsonl", TRAIN)
    lines(paths, "test.jsonl", TEST)
    known = trained(paths, data("dataset-0"), name="known")
    spoilt = trained(paths, data("dataset-0"), name="spoilt")
    assert spoilt.uri is not None
    spoil(paths.of_claim(spoilt.uri), how)
    found: ContaminationResult | None = compared(
        paths, suite("test.jsonl"), known, spoilt
    ).contamination
    assert found is not None
    (text,) = found.unknown
    assert text.startswith("FineTuneJob/spoilt: ")
    assert says in text
    assert (found.suites[0].trained, found.suites[0].by) == (10, ["FineTuneJob/known"])


def test_a_quantization_s_rows_are_not_trained_on(paths: Paths) -> None:
    lines(paths, "train.jsonl", TRAIN)
    plan = Plan(
        kind="QuantizedModel", namespace="n", name="q", run="r", inputs=[data("calibration")]
    )
    assert preflight.run(plan, paths, Report()).trained_on is None
