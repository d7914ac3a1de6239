"""Spans of time as people write them."""

import re
from typing import Annotated

from pydantic import Field

_UNITS = {"h": 3600, "m": 60, "s": 1}

Duration = Annotated[
    str,
    Field(
        min_length=2,
        max_length=16,
        pattern=r"^([0-9]+(h|m|s))+$",
        description="Hours, minutes and seconds, as 90s, 10m or 1h30m.",
    ),
]


def seconds(duration: str) -> int:
    """Of a Duration."""
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(h|m|s)", duration))
