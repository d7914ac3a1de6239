"""Rows of data files: every accepted shape, and messages that name the file and the line."""

import json
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_api.conditions import Reason
from martlet_api.contract import Input, RowsPlan
from martlet_api.training import TrainingRows
from martlet_runtime.data import (
    BadRows,
    json_array,
    read_evaluation,
    read_rendered,
    read_text,
    read_training,
)
from martlet_runtime.data.rows import rows_of
from martlet_runtime.errors import RowError, UserError

USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
SYSTEM = {"role": "system", "content": "s"}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def data_file(
    uri: str = "pvc://d/a.jsonl", rows: TrainingRows = "Conversation", **more: Any
) -> Input:
    return Input(name="dataset-0", kind="Dataset", uri=uri, rows=rows, **more)


def read(path: Path, wanted: Input, bad: BadRows | None = None) -> list[dict[str, Any]]:
    return list(read_training(path, wanted, bad))


CALL = {"type": "function", "function": {"name": "look", "arguments": {"at": "sky"}}}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}
CALL_TURN = {"role": "tool_call", "content": json.dumps(CALL["function"])}
TOOL = {"role": "tool", "content": "blue"}


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
        ({"conversation": [{"human": "q", "assistant": "a"}] * 2, "system": "s"},
         [SYSTEM, USER, ANSWER, USER, ANSWER]),
        ({"instruction": "q", "output": "a"}, [USER, ANSWER]),
        ({"instruction": "q", "input": "more", "output": "a"},
         [{"role": "user", "content": "q\nmore"}, ANSWER]),
        ({"prompt": "q", "completion": "a"}, [USER, ANSWER]),
        ({"prompt": [SYSTEM, USER], "completion": [ANSWER]}, [SYSTEM, USER, ANSWER]),
        ({"messages": [USER, CALL_TURN, {"role": "tool_response", "content": "blue"}, ANSWER]},
         [USER, CALLED, TOOL, ANSWER]),
        ({"messages": [USER, CALL_TURN, CALL_TURN, TOOL, ANSWER]},
         [USER, {**CALLED, "tool_calls": [CALL, CALL]}, TOOL, ANSWER]),
        ({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, TOOL,
                       ANSWER]}, [USER, CALLED, TOOL, ANSWER]),
    ],
)  # fmt: skip
def test_spellings_of_a_chat(
    tmp_path: Path, row: dict[str, Any], messages: list[dict[str, Any]]
) -> None:
    path = lines(tmp_path / "a.jsonl", row)
    assert read(path, data_file()) == [{"messages": messages}]


BAD = {"role": "assistant", "content": "b"}
PAIR = {"messages": [USER], "chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(
    ("rows", "row", "shaped"),
    [
        ("LanguageModeling", {"text": "t"}, {"text": "t"}),
        ("LanguageModeling", {"messages": [ANSWER]}, {"text": "a"}),
        ("Conversation", {"query": "q", "response": "a", "tools": '[{"name": "look"}]'},
         {"messages": [USER, ANSWER], "tools": [{"name": "look"}]}),
        ("Preference", {"query": "q", "response": "a", "rejected_response": "b"}, PAIR),
        ("Preference", {"messages": [USER, ANSWER], "rejected_messages": [USER, BAD]}, PAIR),
        ("Preference", {"messages": [USER, ANSWER], "rejected_messages": [BAD]}, PAIR),
        ("Preference", {"prompt": "q", "chosen": "a", "rejected": "b"}, PAIR),
        ("Preference", {"prompt": [USER], "chosen": [ANSWER], "rejected": [BAD]}, PAIR),
        ("Preference", {"chosen": [USER, ANSWER], "rejected": [USER, BAD]}, PAIR),
        ("UnpairedPreference", {"query": "q", "response": "a", "label": True},
         {"messages": [USER, ANSWER], "label": True}),
        ("UnpairedPreference", {"prompt": "q", "completion": "a", "label": "False"},
         {"messages": [USER, ANSWER], "label": False}),
        ("PromptOnly", {"messages": [USER], "solution": 4},
         {"messages": [USER], "row": {"messages": [USER], "solution": 4}}),
        ("PromptOnly", {"query": "q", "response": "a"},
         {"messages": [USER], "row": {"query": "q", "response": "a"}}),
    ],
)  # fmt: skip
def test_shapes(
    tmp_path: Path, rows: TrainingRows, row: dict[str, Any], shaped: dict[str, Any]
) -> None:
    path = lines(tmp_path / "a.jsonl", row)
    assert read(path, data_file(rows=rows)) == [shaped]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('{"query": "q",', "not JSON"),
        ("[1, 2]", "found [1, 2]; expected a JSON object"),
        ({"question": "q"}, "found the columns question"),
        ({"query": "q"}, "no answer of the assistant"),
        ({"query": "q", "response": ""}, "turn 2, an answer of the assistant, is empty"),
        ({"messages": []}, "found no turns"),
        ({"messages": "q"}, "messages is not a list"),
        ({"messages": [{"role": "wizard", "content": "q"}]}, "the role 'wizard' is not one of"),
        ({"messages": [{"role": "user"}]}, "a turn has no role and content"),
        ({"messages": [ANSWER, USER]}, "no answer of the assistant"),
        ({"messages": [USER, {**ANSWER, "content": " "}, USER, ANSWER]}, "turn 2, an answer"),
        ({"messages": [USER, {"role": "user", "content": 3}, ANSWER]}, "user is not a text"),
        ({"query": "q", "response": "a", "history": ["q"]}, "history is not a list of pairs"),
        ({"query": "q", "response": "a", "images": ["x.png"]}, "only multimodal models"),
        ({"query": "q", "response": "a", "tools": "["}, "tools is not JSON"),
        ({"messages": [USER, {"role": "tool_call", "content": "{"}, ANSWER]}, "is not JSON"),
        ({"messages": [USER, {"role": "tool_call", "content": "{}"}, ANSWER]}, "no name and"),
        ({"query": "q", "response": "a", "rejected_response": "b"},
         "a preference (column rejected_response), which the methods DPO"),
        ({"chosen": [USER, ANSWER], "rejected": [USER, BAD]}, "a preference (column rejected)"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: Any, says: str) -> None:
    path = lines(tmp_path / "x", {"query": "q", "response": "a"}, row)
    with pytest.raises(UserError) as caught:
        read(path, data_file("pvc://d/train.jsonl"))
    assert caught.value.reason == Reason.DATASET_INVALID
    assert caught.value.message.startswith("train.jsonl:2: ")
    assert says in caught.value.message
    assert "expected" in caught.value.message


@pytest.mark.parametrize(
    ("rows", "row", "says"),
    [
        ("LanguageModeling", {"query": "q", "response": "a"}, "a chat, which method PT does not"),
        ("LanguageModeling", {"text": " "}, "the text is empty"),
        ("Preference", {"query": "q", "response": "a"}, "no rejected answer; found the columns"),
        ("Preference", {"prompt": "q", "chosen": "a", "rejected": "a"}, "are the same"),
        ("Preference", {"prompt": "q", "chosen": "a", "rejected": " "}, "rejected is not a text"),
        ("Preference", {"chosen": "a", "rejected": "b"}, "nothing was asked"),
        ("Preference", {"chosen": [USER, ANSWER], "rejected": [SYSTEM, BAD]}, "differ before"),
        ("Preference", {"messages": [USER, ANSWER], "rejected_messages": [SYSTEM, BAD]},
         "differ from messages before"),
        ("UnpairedPreference", {"query": "q", "response": "a"}, "label None is not true or false"),
        ("PromptOnly", {"messages": [ANSWER]}, "nothing is asked"),
        ("PromptOnly", {"query": "q"}, "no column solution, which a reward compares with"),
        ("PromptOnly", {"query": "q", "solution": "1", "tools": [{}]}, "tools, which methods"),
    ],
)  # fmt: skip
def test_rows_of_another_method_say_so(
    tmp_path: Path, rows: TrainingRows, row: dict[str, Any], says: str
) -> None:
    columns = ["solution"] if says.startswith(("no column", "tools")) else []
    with pytest.raises(UserError) as caught:
        read(lines(tmp_path / "x", row), data_file(rows=rows, columns=columns))
    assert f"a.jsonl:1: {says}" in caught.value.message or says in caught.value.message


GOOD = {"query": "q", "response": "a"}
ROW = json.dumps(GOOD)


def test_bad_rows_may_be_left_out_up_to_a_limit(tmp_path: Path) -> None:
    path = lines(tmp_path / "x", GOOD, "{", {"query": "q"}, GOOD)
    bad = BadRows(RowsPlan(on_bad_rows="Skip", limit=2))
    assert len(read(path, data_file(), bad)) == 2
    assert [(row.line, row.content) for row in bad.rejected] == [(2, "{"), (3, {"query": "q"})]
    with pytest.raises(UserError, match=r"More than 1 bad rows; the next is a\.jsonl:3: "):
        read(path, data_file(), BadRows(RowsPlan(on_bad_rows="Skip", limit=1)))


def test_a_file_whose_rows_are_all_bad_is_empty(tmp_path: Path) -> None:
    path = lines(tmp_path / "x", "{")
    with pytest.raises(UserError, match=r"All rows of a\.jsonl are bad; .* line 1: not") as caught:
        read(path, data_file(), BadRows(RowsPlan(on_bad_rows="Skip")))
    assert caught.value.reason == Reason.DATASET_EMPTY


def test_a_row_that_cannot_be_rendered_is_a_bad_row(tmp_path: Path) -> None:
    path = lines(tmp_path / "x", GOOD, {"query": "no", "response": "a"}, GOOD)

    def render(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if row["messages"][0]["content"] == "no":
            raise RowError("refused", "another")
        yield {"rendered": 1}

    bad = BadRows(RowsPlan(on_bad_rows="Skip"))
    found = list(read_rendered(path, data_file(), bad, render))
    assert found == [({"messages": [USER, ANSWER]}, [{"rendered": 1}])] * 2
    (left_out,) = bad.rejected
    assert (left_out.line, left_out.found, left_out.expected) == (2, "refused", "another")
    assert left_out.content == {"query": "no", "response": "a"}
    with pytest.raises(UserError, match=r"a\.jsonl:2: refused; expected another"):
        list(read_rendered(path, data_file(), BadRows(), render))


def test_the_four_formats_say_the_same_named_or_sniffed(tmp_path: Path) -> None:
    rows = [{"query": "q", "response": "a"}, {"query": "r", "response": "b"}]
    jsonl = lines(tmp_path / "a.jsonl", *rows)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text("query,response\nq,a\nr,b\n")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    wanted = read(jsonl, data_file())
    for form in ("JSONL", "JSON", "CSV", "Parquet"):
        path = tmp_path / f"a.{form.lower()}"
        assert read(path, data_file(path.name)) == wanted
        assert read(path, data_file("pvc://d/rows.data", format=form)) == wanted
        if form != "CSV":
            assert read(path, data_file("pvc://d/rows")) == wanted


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "query,response\nq,a\nr\n", "a.csv:3: wrong number of fields"),
        ("a.csv", f"query,response\nq,a\n{'x' * 200_000},a\n", "a.csv:3: not CSV (field larger"),
        ("a.json", '{"a": 1}\n{"a": 2}', 'a.json:1: found {"a": 1} {"a": 2}; expected a JSON list'),
        ("a.json", " ", "a.json:1: found nothing"),
        ("a.json", f"[{ROW},\n oops]", "a.json:2: not JSON (lexical error: invalid char"),
        ("a.json", f"[{ROW}, {ROW}", "a.json:3: not JSON (parse error: premature EOF)"),
        ("a.json", f"[{ROW}] []", "a.json:2: not JSON (parse error: trailing garbage at"),
        ("a.json", f'[{ROW}, {ROW}, "x", oops', "a.json:3: found x; expected a JSON object"),
        ("a.json", f'[{ROW}, {{"query": "\udcff"}}]', "a.json:2: not JSON (lexical error: invalid"),
        ("a.parquet", "no parquet", "a.parquet:1: not parquet"),
        ("a.xlsx", "", "its name ends in none of .jsonl"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text, errors="surrogateescape")
    with pytest.raises(UserError) as caught:
        read(tmp_path / name, data_file(name))
    assert says in caught.value.message


def test_bytes_that_are_not_utf_8_are_left_to_whoever_renders_the_row(tmp_path: Path) -> None:
    for name, text in (("a.csv", b"query,response\n\xff,a\n"), ("a.jsonl", b'{"query": "\xff"}')):
        (tmp_path / name).write_bytes(text)
        ((_, row),) = rows_of(tmp_path / name, name, None)
        assert isinstance(row, dict)
        assert row["query"] == "\udcff"


def test_a_large_array_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**GOOD, "note": "x" * 2000}] * 4000, indent=1))
    tracemalloc.start()
    assert sum(1 for _ in read_training(path, data_file(path.name))) == 4000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < path.stat().st_size / 8


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))), inner
    ),
)  # fmt: skip


@given(st.lists(VALUES), st.sampled_from([None, 1]))
def test_elements_are_what_json_has(values: list[Any], indent: int | None) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        stream.write(json.dumps(values, indent=indent))
        stream.flush()
        assert list(json_array.elements(Path(stream.name))) == values


def test_at_most_so_many_rows_and_those_after_are_not_looked_at(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", GOOD, "broken")
    assert len(read(path, data_file(max_samples=1))) == 1


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl")
    for reader in (
        lambda: read(path, data_file()),
        lambda: read_evaluation(path, "a.jsonl", "general_qa"),
        lambda: read_evaluation(path, "a.jsonl", "general_mcq"),
        lambda: read_text(path, "a.jsonl"),
    ):
        with pytest.raises(UserError) as caught:
            reader()
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
