"""RM: learns to give the chosen answer the higher number, by TRL's RewardTrainer."""

from collections.abc import Iterator
from typing import Any

from peft import TaskType
from trl import RewardConfig, RewardTrainer

from martlet_runtime.loading import REWARD_HEAD, load_reward_model, shape_of_reward_model
from martlet_runtime.train.methods import pairs
from martlet_runtime.train.methods.base import Method, Row
from martlet_runtime.train.task import Task


def render(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    """Whole chats: the number is read at the last token."""
    for pair in pairs.render(tokenizer, row, max_length):
        prompt = pair["prompt_ids"]
        yield {f"{side}_ids": [*prompt, *pair[f"{side}_ids"]] for side in ("chosen", "rejected")}


def trainer(task: Task) -> RewardTrainer:
    config = RewardConfig(**task.arguments(), max_length=None)
    return RewardTrainer(args=config, **task.given())


def longest(max_length: int) -> Row:
    return {"chosen_ids": [0] * max_length, "rejected_ids": [0] * max_length}


METHOD = Method(
    render,
    trainer,
    longest,
    load=load_reward_model,
    shape=shape_of_reward_model,
    task_type=TaskType.SEQ_CLS,
    head=REWARD_HEAD,
)
