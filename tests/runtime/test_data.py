"""Rows of data files: every accepted shape, and messages that name the file and the line."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from martlet_api.conditions import Reason
from martlet_runtime.data import read_evaluation, read_text, read_training
from martlet_runtime.errors import UserError

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"messages": [USER, ANSWER]}, [USER, ANSWER]),
        ({"messages": [USER, {**ANSWER, "loss": False}, USER, ANSWER]},
         [USER, {**ANSWER, "loss": False}, USER, ANSWER]),
        ({"query": "q", "response": "a"}, [USER, ANSWER]),
        ({"query": "q", "response": "a", "system": "s", "history": [["q", "a"]]},
         [SYSTEM, USER, ANSWER, USER, ANSWER]),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
         [USER, ANSWER]),
        ({"instruction": "q", "output": "a"}, [USER, ANSWER]),
        ({"instruction": "q", "input": "more", "output": "a"},
         [{"role": "user", "content": "q\nmore"}, ANSWER]),
    ],
)  # fmt: skip
def test_shapes(tmp_path: Path, row: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    path = lines(tmp_path / "a.jsonl", row)
    assert read_training(path, "pvc://d/a.jsonl") == [{"messages": messages}]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"query": "q",', "not JSON"),
        ("[1, 2]", "found [1, 2]; expected a JSON object"),
        ({"prompt": "q"}, "found the columns prompt"),
        ({"query": "q"}, "a turn of assistant"),
        ({"query": "q", "response": ""}, "no answer of the assistant"),
        ({"messages": []}, "found no turns"),
        ({"messages": "q"}, "messages is not a list"),
        ({"messages": [{"role": "wizard", "content": "q"}]}, "the role 'wizard' is not one of"),
        ({"messages": [{"role": "user"}]}, "a turn has no role and content"),
        ({"messages": [ANSWER, USER]}, "no answer of the assistant"),
        ({"query": "q", "response": "a", "history": ["q"]}, "history is not a list of pairs"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: Any, says: str) -> None:
    path = lines(tmp_path / "x", {"query": "q", "response": "a"}, row)
    with pytest.raises(UserError) as caught:
        read_training(path, "pvc://d/train.jsonl")
    assert caught.value.reason == Reason.DATASET_INVALID
    assert caught.value.message.startswith("train.jsonl:2: ")
    assert says in caught.value.message
    assert "expected" in caught.value.message


def test_the_four_formats_say_the_same(tmp_path: Path) -> None:
    rows = [{"query": "q", "response": "a"}, {"query": "r", "response": "b"}]
    jsonl = lines(tmp_path / "a.jsonl", *rows)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text("query,response\nq,a\nr,b\n")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    wanted = read_training(jsonl, "a.jsonl")
    for ending in ("json", "csv", "parquet"):
        assert read_training(tmp_path / f"a.{ending}", f"a.{ending}") == wanted


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "query,response\nq,a\nr\n", "a.csv:3: wrong number of fields"),
        ("a.json", "{}", "a.json:1: found {}"),
        ("a.json", '[{"query": "q"},\n oops]', "a.json:2: not JSON"),
        ("a.parquet", "no parquet", "a.parquet:1: not parquet"),
        ("a.xlsx", "", "its name must end in one of .jsonl"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        read_training(tmp_path / name, name)
    assert says in caught.value.message


def test_at_most_so_many_rows_and_those_after_are_not_looked_at(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"query": "q", "response": "a"}, "broken")
    assert len(read_training(path, "a.jsonl", 1)) == 1


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl")
    for read in (
        lambda: read_training(path, "a.jsonl"),
        lambda: read_evaluation(path, "a.jsonl", "general_qa"),
        lambda: read_text(path, "a.jsonl"),
    ):
        with pytest.raises(UserError) as caught:
            read()
        assert caught.value.reason == Reason.DATASET_EMPTY


CHOICES = {"question": "q", "A": "1", "B": "2", "answer": "A"}


@pytest.mark.parametrize(
    ("benchmark", "row", "says"),
    [
        ("general_qa", {"query": "q", "response": "a"}, None),
        ("general_qa", {"query": "q"}, "response missing or not a text"),
        ("general_mcq", CHOICES, None),
        ("general_mcq", {**CHOICES, "answer": "C"}, "the answer 'C' is none of A, B"),
        ("general_mcq", {"question": "q", "A": "1", "answer": "A"}, "fewer than two choices"),
        ("general_mcq", {"A": "1", "B": "2", "answer": "A"}, "question missing"),
    ],
)
def test_evaluation_rows(
    tmp_path: Path, benchmark: str, row: dict[str, str], says: str | None
) -> None:
    path = lines(tmp_path / "t.jsonl", row)
    if says is None:
        assert read_evaluation(path, "t.jsonl", benchmark) == [row]
        return
    with pytest.raises(UserError) as caught:
        read_evaluation(path, "t.jsonl", benchmark)
    assert f"t.jsonl:1: {says}" in caught.value.message


def test_text_must_be_utf_8(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(UserError, match=r"t\.txt:2: not UTF-8"):
        read_text(tmp_path / "t.txt", "t.txt")
