"""An answer that is to be rewarded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """``prompt`` is turns; ``row`` has all columns of the data file."""

    prompt: list[dict[str, Any]]
    text: str
    row: dict[str, Any]


Score = Callable[[list[Answer]], list[float]]
"""A number for each answer."""
