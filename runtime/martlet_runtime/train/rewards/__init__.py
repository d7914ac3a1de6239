"""How answers are rewarded: one module a kind, in the table ``REWARDS``."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from martlet_api.training import Reward
from martlet_runtime.train.rewards import checks, http
from martlet_runtime.train.rewards.base import Answer, Score

REWARDS: dict[str, Callable[[Reward, Any], Score]] = {
    "ExactMatch": checks.exact_match,
    "NumberMatch": checks.number_match,
    "Format": checks.format_match,
    "Length": checks.length,
    "HTTP": http.endpoint,
}
"""A function makes a score of a spec's reward and the tokenizer."""


def functions(rewards: Sequence[Reward], tokenizer: Any) -> list[Callable[..., list[float]]]:
    """What TRL's trainers take as ``reward_funcs``."""
    return [_function(reward, REWARDS[reward.type](reward, tokenizer)) for reward in rewards]


def weights(rewards: Sequence[Reward]) -> list[float]:
    return [reward.weight for reward in rewards]


def _function(reward: Reward, score: Score) -> Callable[..., list[float]]:
    def rewarded(prompts: list[Any], completions: list[Any], row: list[str], **_: Any) -> Any:
        return score(
            [
                Answer(prompt, _words(completion), json.loads(text))
                for prompt, completion, text in zip(prompts, completions, row, strict=True)
            ]
        )

    rewarded.__name__ = reward.type
    return rewarded


def _words(completion: Any) -> str:
    """TRL hands an answer over as a text, or as turns."""
    if isinstance(completion, str):
        return completion
    return "".join(turn["content"] for turn in completion)
