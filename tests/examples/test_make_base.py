"""What the quickstart starts from: the same every time, loadable, and no test row among the rows
that are trained on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from martlet_api.contract import Input
from martlet_runtime.data import read_evaluation, read_text, read_training

pytestmark = pytest.mark.torch

SCRIPT = Path(__file__).resolve().parents[2] / "examples/quickstart/base-model/make_base.py"
FILES = ("train.jsonl", "test.jsonl", "stories.txt")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of the script, of a few steps each."""
    folders = [tmp_path_factory.mktemp("made") for _ in range(2)]
    for folder in folders:
        subprocess.run(
            [sys.executable, SCRIPT, "--models", folder, "--data", folder, "--steps", "3"],
            check=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    return folders


def rows_of(path: Path) -> list[dict[str, Any]]:
    wanted = Input(name="rows", kind="Dataset", uri=f"file://{path}", rows="Conversation")
    return list(read_training(path, wanted))


@pytest.mark.parametrize("name", [*FILES, "base/model.safetensors", "base/tokenizer.json"])
def test_it_makes_the_same_every_time(made: list[Path], name: str) -> None:
    first, second = ((folder / name).read_bytes() for folder in made)
    assert first == second


def test_its_files_are_what_the_flows_read(made: list[Path]) -> None:
    train, test, stories = (made[0] / name for name in FILES)
    assert rows_of(train)
    assert read_evaluation(test, test.name, "general_qa")
    assert read_text(stories, stories.name)


def test_no_question_is_both_trained_on_and_scored(made: list[Path]) -> None:
    rows = rows_of(made[0] / "train.jsonl")
    trained = {row["messages"][0]["content"] for row in rows}
    scored = {json.loads(line)["query"] for line in (made[0] / "test.jsonl").open()}
    assert trained
    assert scored
    assert not trained & scored


def test_engines_can_decode_every_token(made: list[Path]) -> None:
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(made[0] / "base")
    config = AutoConfig.from_pretrained(made[0] / "base")
    assert config.vocab_size == len(tokenizer)
    assert tokenizer.chat_template
    assert config.eos_token_id == tokenizer.eos_token_id
