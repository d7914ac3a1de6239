"""SFT: learns the assistant's answers, by TRL's SFTTrainer."""

from collections.abc import Iterator
from typing import Any

from trl import SFTConfig, SFTTrainer

from martlet_runtime.rendering import render_to_learn
from martlet_runtime.train import packed_attention
from martlet_runtime.train.methods.base import Method, Row
from martlet_runtime.train.task import Task


def render(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    yield render_to_learn(tokenizer, row["messages"], max_length, row.get("tools"))


def trainer(task: Task) -> SFTTrainer:
    """Rows come rendered and labelled: TRL's own mask refuses templates without markers."""
    if task.padding_free:
        packed_attention.keep_apart(task.model)
    config = SFTConfig(
        **task.arguments(),
        max_length=None,
        padding_free=task.padding_free,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return SFTTrainer(args=config, **task.given())


def longest(max_length: int) -> Row:
    ids = [0] * max_length
    return {"input_ids": ids, "labels": ids}


METHOD = Method(render, trainer, longest)
