"""How a new revision of an InferenceService takes over: in steps, watched by guards."""

import re
from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, api_config

_UNITS = {"h": 3600, "m": 60, "s": 1}
_DURATION_PATTERN = r"^([0-9]+(h|m|s))+$"

Duration = Annotated[
    str,
    Field(
        min_length=2,
        max_length=16,
        pattern=_DURATION_PATTERN,
        description="Hours, minutes and seconds, as 90s, 10m or 1h30m.",
    ),
]


def seconds(duration: str) -> int:
    """Of a Duration."""
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(h|m|s)", duration))


class CanaryStep(ApiModel):
    """A share of the requests, held until time has passed, requests were answered, and all guards
    pass."""

    weight: Annotated[int, Field(ge=1, le=100, description="Percent of the requests.")]
    min_duration: Duration = "5m"
    min_requests: Annotated[
        int, Field(ge=0, le=1_000_000_000, description="Answered by the canary in this step.")
    ] = 0


class Canary(ApiModel):
    """The steps of a rollout. Only a guard that fails rolls back; what cannot be told yet holds the
    weight, and ``onInconclusive`` decides at ``maxDuration``."""

    model_config = api_config(
        (
            "self.steps.all(s, self.steps.exists_one(t, t.weight == s.weight)) && "
            "self.steps.map(s, s.weight).isSorted()",
            "steps must rise: each weight must be over the one before; sort them, and remove what "
            "is there twice",
        ),
    )

    steps: Annotated[list[CanaryStep], Field(min_length=1, max_length=16)]
    on_inconclusive: Annotated[
        Literal["Hold", "Rollback"],
        Field(description="At maxDuration, where guards neither pass nor fail."),
    ] = "Hold"
    max_duration: Duration = "2h"
    bake_time: Annotated[
        Duration,
        Field(description="How long the former revision stays loaded after the last step."),
    ] = "10m"
