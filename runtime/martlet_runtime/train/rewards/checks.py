"""Rewards that need nothing but the answer and the row. From 0 to 1 each."""

import re
from typing import Any

from martlet_api.training import Reward
from martlet_runtime.train.rewards.base import Answer, Score

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def exact_match(reward: Reward, tokenizer: Any) -> Score:
    """1 where the answer is the row's column, white space at the ends aside."""
    return _compared(reward, lambda text, wanted: text.strip() == wanted.strip())


def number_match(reward: Reward, tokenizer: Any) -> Score:
    """1 where the last number of the answer is the last of the row's column."""

    def same(text: str, wanted: str) -> bool:
        number = _last_number(text)
        return number is not None and number == _last_number(wanted)

    return _compared(reward, same)


def format_match(reward: Reward, tokenizer: Any) -> Score:
    """1 where the whole answer matches the pattern; a dot matches the ends of lines, too."""
    assert reward.pattern is not None
    pattern = re.compile(reward.pattern, re.DOTALL)
    return lambda answers: [float(bool(pattern.fullmatch(a.text.strip()))) for a in answers]


def length(reward: Reward, tokenizer: Any) -> Score:
    """1 at the target, 0 at no token and from twice as many."""
    target = reward.target_length
    assert target is not None

    def score(answer: Answer) -> float:
        tokens = len(tokenizer(answer.text, add_special_tokens=False)["input_ids"])
        return max(0.0, 1 - abs(tokens - target) / target)

    return lambda answers: [score(answer) for answer in answers]


def _compared(reward: Reward, same: Any) -> Score:
    column = reward.needed_column
    assert column is not None
    return lambda answers: [float(same(a.text, str(a.row[column]))) for a in answers]


def _last_number(text: str) -> float | None:
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None
