"""Prompts that are sent to both revisions of a rollout, and what their answers must be."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, ObjectName, api_config
from martlet_api.durations import Duration


class ChatMessage(ApiModel):
    """As in the OpenAI API."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=8192)]


class Expectation(ApiModel):
    """What an answer must be: exactly one of the three."""

    model_config = api_config(
        (
            "[has(self.exact), has(self.regex), has(self.judge)].filter(x, x).size() == 1",
            "set exactly one of exact, regex and judge",
        ),
    )

    exact: Annotated[
        str | None,
        Field(max_length=4096, description="The whole answer, but for white space around it."),
    ] = None
    regex: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="Found anywhere in the answer; RE2's syntax, which has no look-around.",
        ),
    ] = None
    judge: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="What must be true of the answer, in words, for probe.judge to decide.",
        ),
    ] = None


class ProbePrompt(ApiModel):
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=16)]
    expect: Expectation


class ProbeJudge(ApiModel):
    """An InferenceService of the namespace; asked at its address within the cluster."""

    service: ObjectName


class Probe(ApiModel):
    """Sent to the canary and to the stable revision alike while the canary has requests, so that a
    service that few use can be judged. Each time one of the prompts is drawn for each revision."""

    model_config = api_config(
        (
            "has(self.judge) || self.prompts.all(p, !has(p.expect.judge))",
            "a prompt leaves its answer to a judge: name an InferenceService in judge.service",
        ),
        (
            "!has(self.judge) || self.prompts.exists(p, has(p.expect.judge))",
            "no prompt leaves its answer to the judge: remove it, or set expect.judge",
        ),
    )

    prompts: Annotated[list[ProbePrompt], Field(min_length=1, max_length=64)]
    every: Annotated[Duration, Field(description="Between two prompts to a revision.")] = "5s"
    max_tokens: Annotated[int, Field(ge=1, le=4096, description="Of an answer.")] = 64
    judge: ProbeJudge | None = None
