"""Rows of questions, for the methods that let the model answer and reward the answers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from martlet_api.training import Hyperparameters
from martlet_runtime.errors import RowError
from martlet_runtime.rendering import beginning, count_prompt
from martlet_runtime.train import rewards
from martlet_runtime.train.methods.base import Row
from martlet_runtime.train.task import Task

COMPLETION = 512
"""Tokens of an answer where the spec leaves them out."""
_BETA, _GENERATIONS, _TEMPERATURE = 0.04, 8, 0.9


def render(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    """``prompt`` as turns, which TRL renders by the tokenizer's template, and the row itself as
    JSON: its columns are of any type, which Arrow's are not."""
    prompt = [{"role": m["role"], "content": m["content"]} for m in row["messages"]]
    if (tokens := count_prompt(tokenizer, prompt)) > max_length:
        raise RowError(
            f"the question that begins {beginning(prompt[-1:])} has {tokens} tokens",
            f"at most {max_length}, or a greater hyperparameters.maxLength",
        )
    yield {"prompt": prompt, "row": json.dumps(row["row"], default=str)}


def several_answers(task: Task) -> dict[str, Any]:
    """The settings that GRPO and RLOO share, with ms-swift's defaults."""
    params = task.hyperparameters
    return {
        "beta": task.setting(params.beta, _BETA),
        "num_generations": params.num_generations or _GENERATIONS,
        "max_completion_length": params.max_completion_length or COMPLETION,
        "temperature": task.setting(params.temperature, _TEMPERATURE),
        "reward_weights": rewards.weights(task.rewards),
    }


def rewarded(task: Task) -> list[Callable[..., list[float]]]:
    """TRL's ``reward_funcs``."""
    return rewards.functions(task.rewards, task.tokenizer)


def longest(max_length: int) -> Row:
    """What is asked is set by ``answered``: a text's tokens depend on the tokenizer."""
    return {"prompt": [{"role": "user", "content": "?"}], "row": "{}"}


def answered(trainer: Any, params: Hyperparameters) -> None:
    """Questions and answers of the greatest length, for RLOO."""
    tokens = [0] * params.max_length
    answer = [0] * (params.max_completion_length or COMPLETION)
    trainer._tokenize_prompts = lambda prompts: ([tokens for _ in prompts], None, {})
    trainer._generate_single_turn = lambda prompts, *_: [answer for _ in prompts]
