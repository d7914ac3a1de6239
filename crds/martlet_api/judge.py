"""A judge: a model that says what answers are worth, and how it is asked."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, ObjectName, api_config

_CONTRACT = ("scoreType", "promptTemplate", "systemPrompt", "scoreMapping")
_SAID = " || ".join(f"has(self.{name})" for name in _CONTRACT)


class JudgeSecretReference(ApiModel):
    """A Secret in the same namespace whose key ``OPENAI_API_KEY`` is sent to the judge. It becomes
    an environment variable of the container that scores, and of no other container."""

    name: ObjectName


class Judge(ApiModel):
    """A model behind an OpenAI-compatible API. It is asked at temperature 0 and with
    ``generation.seed``."""

    endpoint: Annotated[
        str,
        Field(
            min_length=8,
            max_length=1024,
            pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
            description="Of the API with its version: https://api.example.com/v1.",
        ),
    ]
    model: Annotated[str, Field(min_length=1, max_length=100)]
    max_tokens: Annotated[int, Field(ge=16, le=131_072, description="Of its answer.")] = 4096
    secret_ref: JudgeSecretReference | None = None


class SuiteJudge(ApiModel):
    """How a suite's answers are judged."""

    model_config = api_config(
        (
            f"self.strategy == 'LLM' || !({_SAID})",
            f"{', '.join(_CONTRACT)} belong to strategy LLM; remove them",
        ),
        (
            "!has(self.scoreMapping) || !has(self.scoreType) || self.scoreType == 'Pattern'",
            "scoreMapping belongs to scoreType Pattern; a Numeric judge says the score itself: "
            "remove it",
        ),
        (
            "!has(self.promptTemplate) || self.promptTemplate.contains('{pred}')",
            "promptTemplate must have {pred}, where the answer goes; {question} and {gold} may be "
            "there too",
        ),
    )

    strategy: Annotated[
        Literal["LLM", "Rule"],
        Field(
            description=(
                "LLM: the judge scores each answer. Rule: the benchmark's own rules do, though "
                "EvalScope would ask a judge."
            )
        ),
    ] = "LLM"
    score_type: Annotated[
        Literal["Pattern", "Numeric"] | None,
        Field(
            description=(
                "Pattern: a label, as against the row's expected answer. Numeric: a score from 0 "
                "to 1, without one. Pattern where left out; of benchmarks without a prompt of "
                "their own."
            )
        ),
    ] = None
    prompt_template: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=8192,
            description="With {question}, {gold} and {pred}; EvalScope's where left out.",
        ),
    ] = None
    system_prompt: Annotated[str | None, Field(min_length=1, max_length=4096)] = None
    score_mapping: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=64)], float] | None,
        Field(
            min_length=2,
            max_length=16,
            description="What each label is worth; {A: 1, B: 0} where left out.",
        ),
    ] = None
