"""EvalRun: scores a model with EvalScope and gives a verdict bound to the model's digest."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Digest, StatusModel, Text, api_config
from martlet_api.engine import Engine
from martlet_api.references import DatasetSource, ModelSource
from martlet_api.runs import Count, RunStatus, Time
from martlet_api.workload import BatchSpec

MetricName = Annotated[str, Field(min_length=1, max_length=64)]


class Threshold(ApiModel):
    """What a score must reach for the suite to pass."""

    model_config = api_config(
        ("has(self.min) || has(self.max)", "set min, max or both: a threshold needs a bound"),
        ("!has(self.min) || !has(self.max) || self.min <= self.max", "min must not exceed max"),
    )

    metric: MetricName
    min: float | None = None
    max: float | None = None


class Suite(ApiModel):
    """One benchmark over one test set."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][-a-z0-9]*$")]
    benchmark: Annotated[
        Literal["general_qa", "general_mcq"],
        Field(
            description=(
                "EvalScope's name. general_qa: rows of query and response; general_mcq: rows of "
                "question, A, B, C, D... and answer."
            )
        ),
    ]
    dataset: DatasetSource
    thresholds: Annotated[list[Threshold], Field(max_length=16)] = []


class Generation(ApiModel):
    """How answers are drawn."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0
    max_tokens: Annotated[int, Field(ge=1, le=131_072)] = 512
    seed: Annotated[int, Field(ge=0, le=2_147_483_647)] = 42


class EvalRunSpec(BatchSpec):
    model: ModelSource
    suites: Annotated[
        list[Suite],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ]
    generation: Generation = Generation()
    engine: Engine = Engine()


class Score(StatusModel):
    """One metric of one suite, over ``samples`` rows of which ``incomplete`` gave no answer."""

    suite: Annotated[str, Field(max_length=63)]
    metric: MetricName
    value: float
    samples: Count
    incomplete: Count = 0
    passed: Annotated[bool | None, Field(description="Left out where no threshold is set.")] = None


class Verdict(StatusModel):
    """Holds for this model's digest and no other."""

    passed: bool
    model_digest: Digest
    at: Time
    message: Text | None = None


class EvalProgress(StatusModel):
    """Read from the pod's metrics page while it scores."""

    samples: Count
    total_samples: Count
    updated_at: Time


class EvalRunStatus(RunStatus):
    progress: EvalProgress | None = None
    scores: Annotated[list[Score], Field(max_length=256)] | None = None
    verdict: Verdict | None = None


class EvalRun(ApiModel):
    """Scores a model over test sets; others may ask that it passed for the digest they use."""

    kind: ClassVar[str] = "EvalRun"
    plural: ClassVar[str] = "evalruns"
    short_names: ClassVar[tuple[str, ...]] = ("evr",)
    columns: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("Phase", "string", ".status.phase"),
        ("Passed", "boolean", ".status.verdict.passed"),
        ("Score", "number", ".status.scores[0].value"),
        ("Metric", "string", ".status.scores[0].metric"),
        ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    )

    spec: EvalRunSpec
    status: EvalRunStatus | None = None
