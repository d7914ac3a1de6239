"""EvalRun: scores a model with EvalScope and gives a verdict bound to the model's digest."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Digest, StatusModel, Text, api_config
from martlet_api.engine import Engine, EngineStatus
from martlet_api.judge import Judge, SuiteJudge
from martlet_api.references import DatasetSource, ModelSource, Output, ServiceReference
from martlet_api.runs import Artifact, Count, RunStatus, Time
from martlet_api.workload import BatchSpec

OWN_ROWS = ("general_qa", "general_mcq")
"""EvalScope's benchmarks over rows of one's own."""
PERPLEXITY = "perplexity"
"""Martlet's own benchmark, and its metric: of a text, by the engine that serves."""
PRIMARY = {"general_qa": "Rouge-L-R", "general_mcq": "mean_acc", PERPLEXITY: PERPLEXITY}
"""The metric that is always told, of others the first; more only where a threshold names them."""
_OWN_DATA = ", ".join(f"'{name}'" for name in (*OWN_ROWS, PERPLEXITY))
MOST_SUITES, MOST_THRESHOLDS = 16, 16
MOST_SCORES = MOST_SUITES * (MOST_THRESHOLDS + 1)
"""Of one scoring: each threshold's metric and each suite's main one."""
MOST_LINES = 5
"""Of a suite, that are told as trained on."""
MetricName = Annotated[str, Field(min_length=1, max_length=64)]
RevisionName = Annotated[
    str | None, Field(max_length=63, description="Of the InferenceService that was asked.")
]
_ENGINES_POD = ("accelerator", "acceleratorMemory", "resources", "runtimeClassName", "image")
"""What of spec.pod says where an engine runs, and on what."""
_JUDGED = "self.suites.exists(s, has(s.judge) && s.judge.strategy == 'LLM')"


class Threshold(ApiModel):
    """What a score must reach for the suite to pass: a bound of its own, or how much worse than
    the baseline's it may be."""

    model_config = api_config(
        (
            "[has(self.min) || has(self.max), has(self.maxDrop), has(self.maxIncreasePercent)]"
            ".filter(x, x).size() == 1",
            "set min, max or both, or maxDrop, or maxIncreasePercent: a threshold needs one kind "
            "of bound",
        ),
        ("!has(self.min) || !has(self.max) || self.min <= self.max", "min must not exceed max"),
        (
            "(has(self.maxDrop) || has(self.maxIncreasePercent)) == has(self.against)",
            "maxDrop and maxIncreasePercent compare with the baseline and need against: Baseline; "
            "min and max do not take it",
        ),
    )

    metric: MetricName
    min: float | None = None
    max: float | None = None
    max_drop: Annotated[
        float | None,
        Field(ge=0, description="How far below the baseline's score, in the metric's own unit."),
    ] = None
    max_increase_percent: Annotated[
        float | None,
        Field(ge=0, description="How far above the baseline's score, for perplexity say."),
    ] = None
    against: Literal["Baseline"] | None = None
    confidence: Annotated[
        float | None,
        Field(
            gt=0.5,
            lt=1,
            description=(
                "Passes only if the bound is kept with this confidence, by the score's standard "
                "error. Left out: the score itself is compared."
            ),
        ),
    ] = None


class TestSet(DatasetSource):
    """What a suite is taken over."""

    digest: Annotated[
        Digest | None,
        Field(
            description=(
                "As status.resolved tells it: nothing else is scored, and it need not be looked "
                "up, so that scores that are known already need no pod."
            )
        ),
    ] = None


class Suite(ApiModel):
    """One benchmark over one test set."""

    model_config = api_config(
        (
            "!(self.benchmark in ['general_qa', 'general_mcq', 'perplexity']) || has(self.dataset)",
            "benchmarks general_qa, general_mcq and perplexity are taken over your own dataset; "
            "name it",
        ),
        (
            f"!(self.benchmark in [{_OWN_DATA}]) || "
            "!(has(self.limit) || has(self.subsets) || has(self.fewShot))",
            "limit, subsets and fewShot belong to EvalScope's other benchmarks; use "
            "dataset.maxSamples, or remove them",
        ),
        (
            "self.benchmark == 'general_qa' || self.benchmark == 'general_mcq' || "
            "!has(self.dataset) || !has(self.dataset.maxSamples)",
            "dataset.maxSamples belongs to benchmarks general_qa and general_mcq; use limit, or "
            "remove it",
        ),
        (
            f"self.benchmark != '{PERPLEXITY}' || !has(self.judge)",
            "benchmark perplexity is measured and not judged; remove judge",
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][-a-z0-9]*$")]
    benchmark: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            pattern=r"^[a-z0-9_]+$",
            description=(
                "EvalScope's name. general_qa: rows of query and response; general_mcq: rows of "
                "question, A, B, C, D... and answer; perplexity: a text; any other: the folder or "
                "repository of its data."
            ),
        ),
    ]
    dataset: TestSet | None = None
    subsets: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]] | None,
        Field(min_length=1, max_length=256, description="All of the benchmark's where left out."),
    ] = None
    limit: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="The first rows of each subset.")
    ] = None
    few_shot: Annotated[
        int | None, Field(ge=0, le=100, description="Examples; the benchmark's own if left out.")
    ] = None
    judge: Annotated[
        SuiteJudge | None,
        Field(description="The benchmark's own rules score the answers where left out."),
    ] = None
    thresholds: Annotated[list[Threshold], Field(max_length=MOST_THRESHOLDS)] = []

    @property
    def is_judged(self) -> bool:
        return self.judge is not None and self.judge.strategy == "LLM"


class Generation(ApiModel):
    """How answers are drawn."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0
    max_tokens: Annotated[int, Field(ge=1, le=131_072)] = 512
    seed: Annotated[int, Field(ge=0, le=2_147_483_647)] = 42


class EvalRunSpec(BatchSpec):
    model_config = api_config(
        (
            "has(self.baseline) || !self.suites.exists(s, s.thresholds.exists(t, has(t.against)))",
            "a threshold against the baseline needs spec.baseline: name the model to compare with",
        ),
        (
            "self.contamination != 'Refuse' || (has(self.model) && has(self.model.from))",
            "contamination Refuse needs model.from: what a model named by uri, or a service, was "
            "trained on is not known; name the resource that made it, or set Warn",
        ),
        (
            f"self.contamination != 'Refuse' || self.suites.all(s, s.benchmark in [{_OWN_DATA}])",
            "contamination Refuse compares rows of general_qa, general_mcq and perplexity; score "
            "other benchmarks in an EvalRun of their own, or set Warn",
        ),
        (
            "has(self.model) != has(self.service)",
            "exactly one of model and service must be set: model is scored by an engine of its "
            "own, service names an InferenceService that is asked as it runs",
        ),
        (
            "!has(self.service) || has(self.baseline) || !has(self.engine)",
            "engine belongs to a model or a baseline, which get an engine of their own; a service "
            "has its engine already: remove it",
        ),
        (
            "!has(self.service) || has(self.baseline) || "
            f"!({' || '.join(f'has(self.pod.{name})' for name in _ENGINES_POD)})",
            f"pod.{', pod.'.join(_ENGINES_POD)} belong to the engine of a model or a baseline; a "
            "service has its engine already: remove them",
        ),
        (
            f"has(self.judge) || !{_JUDGED}",
            "a suite that is judged needs spec.judge: name the judge's endpoint and model",
        ),
        (
            f"!has(self.judge) || {_JUDGED}",
            "spec.judge judges nothing: give the suite that it is for judge: {strategy: LLM}, or "
            "remove it",
        ),
    )

    model: ModelSource | None = None
    service: Annotated[
        ServiceReference | None,
        Field(
            description=(
                "Instead of a model: what answers now is scored, and the verdict is on the digest "
                "of the model that the revision serves."
            )
        ),
    ] = None
    baseline: Annotated[
        ModelSource | None,
        Field(description="The model to compare with: scored in the same way, once per digest."),
    ] = None
    suites: Annotated[
        list[Suite],
        Field(
            min_length=1,
            max_length=MOST_SUITES,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ]
    contamination: Annotated[
        Literal["Warn", "Refuse"],
        Field(
            description=(
                "Where rows of a test set were trained on by the FineTuneJobs that made the "
                "model. Warn: the verdict says so. Refuse: nothing is scored, nor where it is not "
                "known what was trained on."
            )
        ),
    ] = "Warn"
    judge: Annotated[
        Judge | None, Field(description="Of the suites that are judged by a model.")
    ] = None
    generation: Generation = Generation()
    engine: Annotated[
        Engine | None,
        Field(description="Of the model and the baseline; chosen as by type Auto if left out."),
    ] = None
    output: Annotated[
        Output | None,
        Field(
            description=(
                "Where every row with its answer is kept. With a baseline the rows are then "
                "compared one by one."
            )
        ),
    ] = None


class Score(StatusModel):
    """One metric of one suite, over ``samples`` rows; ``incomplete`` more have no answer, or no
    judgement."""

    suite: Annotated[str, Field(max_length=63)]
    metric: MetricName
    value: float
    stderr: Annotated[
        float | None, Field(description="Of the value, as the rows' own scores vary.")
    ] = None
    detail: Annotated[
        str | None,
        Field(
            max_length=128,
            description="What it was measured over, where that depends on the model; or by whom.",
        ),
    ] = None
    baseline: Annotated[float | None, Field(description="The baseline's value.")] = None
    samples: Count
    incomplete: Count = 0
    worse: Annotated[
        Count | None, Field(description="Rows that the baseline answered better, one by one.")
    ] = None
    better: Annotated[Count | None, Field(description="Rows that it answered worse.")] = None
    passed: Annotated[bool | None, Field(description="Left out where no threshold is set.")] = None


class Measured(StatusModel):
    """Scores of one model by digest. ``key`` is the digest of all that makes them: model, test
    sets, engine (or the revision that was asked), generation and judge; equal work is done once in
    a namespace."""

    key: Digest
    model_digest: Digest
    revision: RevisionName = None
    scores: Annotated[list[Score], Field(max_length=MOST_SCORES)]
    at: Time
    by: Annotated[str, Field(max_length=128, description="Whose run: EvalRun/NAME RUN.")]
    samples: Annotated[
        Artifact | None, Field(description="Every row with its answer and its scores.")
    ] = None


class Pairing(StatusModel):
    """One metric of one suite, row by row: over ``rows`` that the model and the baseline were both
    asked, of which it answered some ``worse`` and some ``better``. ``covariance`` is that of both
    scores."""

    suite: Annotated[str, Field(max_length=63)]
    metric: MetricName
    rows: Count
    worse: Count
    better: Count
    covariance: float


class Comparison(StatusModel):
    """The model beside its baseline, row by row; ``key`` is the digest of both keys."""

    key: Digest
    pairings: Annotated[list[Pairing], Field(max_length=MOST_SCORES)]
    artifact: Annotated[Artifact, Field(description="The rows that got worse, and a page of them.")]


class Overlap(StatusModel):
    """Of a suite's ``rows`` (of a text's lines) so many as were ``trained`` on, the first of them
    by their lines, and whose runs trained on them."""

    suite: Annotated[str, Field(max_length=63)]
    rows: Count
    trained: Count
    lines: Annotated[list[Count] | None, Field(max_length=MOST_LINES)] = None
    by: Annotated[
        list[Annotated[str, Field(max_length=128)]] | None,
        Field(max_length=64, description="Kind/name."),
    ] = None


class Contamination(StatusModel):
    """The test sets beside the training sets of the model; ``key`` is the digest of all of them."""

    key: Digest
    suites: Annotated[list[Overlap], Field(max_length=MOST_SUITES)]
    unknown: Annotated[
        list[Text] | None,
        Field(max_length=64, description="What could not be compared with, and why."),
    ] = None


class Verdict(StatusModel):
    """Holds for this model's digest and no other, by the work that ``key`` is the digest of:
    model, test sets, engine and generation."""

    passed: bool
    model_digest: Digest
    revision: RevisionName = None
    key: Digest | None = None
    baseline_digest: Digest | None = None
    at: Time
    message: Text | None = None


class EvalProgress(StatusModel):
    """Read from the pod's metrics page while it scores."""

    samples: Count
    total_samples: Count
    updated_at: Time


class EvalRunStatus(RunStatus):
    engine: Annotated[
        EngineStatus | None, Field(description="That scores the model, or scored it.")
    ] = None
    progress: EvalProgress | None = None
    contamination: Contamination | None = None
    scores: Annotated[list[Score], Field(max_length=MOST_SCORES)] | None = None
    measured: Measured | None = None
    baseline: Measured | None = None
    comparison: Comparison | None = None
    scoring: Annotated[
        Digest | None, Field(description="The key of the scores that are being made.")
    ] = None
    verdict: Verdict | None = None


class EvalRun(ApiModel):
    """Scores a model, or what a service serves, over test sets; others may ask that it passed for
    the digest they use."""

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
