"""What rows ask, whatever their spelling, and the file of digests of it."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_runtime.data import asked
from martlet_runtime.data.digests import HEADER, Digests, Known
from martlet_runtime.data.shapes import SHAPES
from martlet_runtime.errors import UserError

Row = dict[str, Any]

Q = "Where does Migo live?"
USER, ANSWER = {"role": "user", "content": Q}, {"role": "assistant", "content": "barn"}
SPELLINGS: list[tuple[str, Row]] = [
    ("Conversation", {"messages": [USER, ANSWER]}),
    ("Conversation", {"messages": [{"role": "system", "content": "s"}, USER, ANSWER]}),
    ("Conversation", {"query": Q, "response": "barn"}),
    ("Conversation", {"query": Q, "response": "barn", "system": "s", "history": [["hi", "yo"]]}),
    ("Conversation", {"query": "thanks", "response": "you too", "history": [[Q, "barn"]]}),
    ("Conversation", {"conversations": [{"from": "human", "value": Q},
                                        {"from": "gpt", "value": "barn"}]}),
    ("Conversation", {"conversation": [{"human": Q, "assistant": "barn"}]}),
    ("Conversation", {"instruction": Q, "input": "", "output": "barn"}),
    ("Conversation", {"instruction": "Where does Migo", "input": "live?", "output": "barn"}),
    ("Conversation", {"prompt": Q, "completion": "barn"}),
    ("Conversation", {"prompt": [USER], "completion": [ANSWER]}),
    ("Preference", {"query": Q, "response": "barn", "rejected_response": "shed"}),
    ("Preference", {"prompt": Q, "chosen": "barn", "rejected": "shed"}),
    ("Preference", {"chosen": [USER, ANSWER],
                    "rejected": [USER, {"role": "assistant", "content": "shed"}]}),
    ("UnpairedPreference", {"messages": [USER, ANSWER], "label": True}),
    ("PromptOnly", {"messages": [USER], "solution": "barn"}),
    ("LanguageModeling", {"text": Q}),
    ("LanguageModeling", {"messages": [{"role": "assistant", "content": Q}]}),
]  # fmt: skip
TESTED: list[Row] = [
    {"query": Q, "response": "barn"},
    {"query": Q, "response": "barn", "system": "Be brief."},
    {"question": Q, "query": "else", "response": "barn"},
    {"question": Q, "A": "barn", "B": "shed", "answer": "A"},
    {"messages": [USER]},
    {"messages": [], "query": Q, "response": "barn"},
    {"messages": [{"role": "user", "content": "hi"}, ANSWER, USER]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": Q}]}]},
]


def of_training(shape: str, row: Row) -> set[int]:
    return {asked.digest(text) for text in asked.in_training(SHAPES[shape][0](row))}


@pytest.mark.parametrize(("shape", "row"), SPELLINGS)
@pytest.mark.parametrize("tested", TESTED)
def test_the_same_question_is_found_in_every_spelling(shape: str, row: Row, tested: Row) -> None:
    assert asked.digest(asked.in_test(tested)) in of_training(shape, row)


@pytest.mark.parametrize("tested", [{"query": "Where does Mago live?", "response": "barn"},
                                    {"query": "barn", "response": Q},
                                    {"messages": [ANSWER]}, {"messages": ["odd"]}])  # fmt: skip
def test_another_question_is_not(tested: Row) -> None:
    known = {digest for shape, row in SPELLINGS for digest in of_training(shape, row)}
    assert asked.digest(asked.in_test(tested)) not in known


def test_blank_turns_ask_nothing() -> None:
    row = {"messages": [{"role": "user", "content": " \n"}, ANSWER]}
    assert list(asked.in_training(row)) == []


WORDS = st.lists(st.text("abcdeé你好ﬁＡ", min_size=1, max_size=6), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\n", "\t", " \r\n ", "\u3000"])


@settings(deadline=None)
@given(WORDS, st.lists(SPACES, min_size=10, max_size=10), st.integers(0, 255))
def test_case_and_white_space_make_no_difference(
    words: list[str], spaces: list[str], upper: int
) -> None:
    other = "".join(
        space + (word.upper() if upper >> number & 1 else word)
        for number, (space, word) in enumerate(zip(spaces, words, strict=False))
    )
    assert asked.digest(other + spaces[-1]) == asked.digest(" ".join(words))


@settings(deadline=None)
@given(st.text(), st.text())
def test_texts_are_alike_only_if_their_normal_forms_are(one: str, other: str) -> None:
    assert (asked.digest(one) == asked.digest(other)) == (
        asked.normalized(one) == asked.normalized(other)
    )
    assert asked.normalized(asked.normalized(one)) == asked.normalized(one)
    assert 0 <= asked.digest(one) < 1 << 64


def test_what_is_no_character_is_no_error() -> None:
    assert asked.digest("\udcff") != asked.digest("?")


TEXT = "One.\nTwo.\n\nThree.\n \nFour.\nFive."


def test_a_text_has_itself_its_paragraphs_and_its_lines() -> None:
    assert list(asked.passages(TEXT)) == [
        (1, 7, TEXT),
        (1, 2, "One.\nTwo."),
        (6, 2, "Four.\nFive."),
        *((number, 1, line) for number, line in enumerate(TEXT.split("\n"), 1) if line.strip()),
    ]


def written(folder: Path, numbers: list[int], held: int) -> Path:
    digests = Digests(folder, held)
    for number in numbers:
        digests.add(number)
    path = folder / "out"
    path.write_bytes(b"".join(digests.chunks()))
    return path


NUMBERS = st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, 9), max_size=60)


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.integers(1, 20))
def test_a_file_knows_what_was_added_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, added: list[int], others: list[int], held: int
) -> None:
    path = written(tmp_path_factory.mktemp("digests"), added, held)
    known = Known(path)
    assert [known[index] for index in range(len(known))] == sorted(set(added))
    assert {number for number in (*added, *others) if number in known} == set(added)


def test_the_file_does_not_hang_on_the_order_or_on_what_memory_holds(tmp_path: Path) -> None:
    numbers = [random.Random(1).getrandbits(64) for _ in range(1000)]
    texts = []
    for held, order in ((7, numbers), (1000, numbers[::-1]), (5000, numbers + numbers)):
        folder = tmp_path / str(held)
        folder.mkdir()
        texts.append(written(folder, order, held).read_bytes())
    assert texts[0] == texts[1] == texts[2]


def test_more_digests_than_are_held_lie_on_the_disk(tmp_path: Path) -> None:
    rng = random.Random(2)
    tracemalloc.start()
    digests = Digests(tmp_path, held=10_000)
    for _ in range(200_000):
        digests.add(rng.getrandbits(64))
    with (tmp_path / "out").open("wb") as stream:
        stream.writelines(digests.chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(Known(tmp_path / "out")) == 200_000
    assert peak < 4 << 20


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "asked.digests"
    path.write_bytes(HEADER.replace(b"1", b"2") + b"12345678")
    with pytest.raises(UserError, match=r"asked\.digests is no file of digests of this version"):
        Known(path)
