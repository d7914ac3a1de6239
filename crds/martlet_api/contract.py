"""What the operator and its pods say to each other.

The plan goes in as a file of JSON. Live progress comes out as Prometheus metrics. The result is
the termination message, and the exit code says whether the failure is worth retrying.
"""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Digest, StatusModel
from martlet_api.conditions import Reason
from martlet_api.engine import EngineType
from martlet_api.evalrun import Generation, Overlap, Pairing, Score, Suite
from martlet_api.finetunejob import (
    AuditSample,
    CheckpointSettings,
    DataFormat,
    Estimate,
    RejectedRows,
    Validation,
)
from martlet_api.judge import Judge
from martlet_api.quantizedmodel import Rung, RungResult, Workload
from martlet_api.runs import Artifact, ArtifactBase, MadeFrom, ResolvedInput, TrainingSet
from martlet_api.training import (
    Hyperparameters,
    Method,
    Reward,
    Strategy,
    StrategyChoice,
    TrainingRows,
    Tuner,
)

PLAN_PATH = "/etc/martlet/plan.json"
INPUTS_PATH = "/martlet/inputs"
"""Where the stage container lays out inputs, ``INPUTS_PATH/NAME`` each: a folder or a file, or a
symbolic link to it on its volume."""
WORK_PATH = "/martlet/work"
"""Scratch space of the container that does the work."""
VOLUMES_PATH = "/mnt/pvc"
"""``pvc://CLAIM/PATH`` is ``VOLUMES_PATH/CLAIM/PATH`` inside the pod."""
TERMINATION_PATH = "/dev/termination-log"
POD_TERMINATION_LIMIT = 12 * 1024
"""Bytes that the kubelet keeps of what a pod's containers say, in equal parts (normalizeStatus in
its status_manager.go)."""
CONTAINER_TERMINATION_LIMIT = 4 * 1024
"""Bytes that it keeps of one, however few they are."""
MOST_CONTAINERS = {"evaluate": 4, "stage": 4}
"""Of the pod that a flow runs in, where there may be more than lease, stage and one that works."""
METRICS_PORT = 9102
NODE_RANK_ENV = "MARTLET_NODE_RANK"
"""Which of the run's pods this is, from 0; set where there are several."""
MASTER_ENV = "MARTLET_MASTER"
"""The name under which the first of them is found."""
MASTER_PORT = 29500
ENGINE_PORT = 8080
CACHE_PATH = "/martlet/cache"
"""Where the namespace's cache of models and data is mounted, if it has one."""
CACHE_LIMIT_ENV = "MARTLET_CACHE_LIMIT"
"""Bytes that the cache may hold; set where there is one."""
POD_ENV = "MARTLET_POD"
"""The pod's UID, under which it holds what it uses of the cache."""

JUDGE_KEY_ENV = "OPENAI_API_KEY"
"""The key for the judge, in the Secret and in the container that scores."""

EXIT_SUCCESS = 0
EXIT_USER_ERROR = 65
"""EX_DATAERR of sysexits.h: the same spec would fail again; nothing is retried."""
EXIT_RETRYABLE = 75
"""EX_TEMPFAIL of sysexits.h: a hub that is down, a volume that went away."""

METRIC_STEP = "martlet_train_step"
METRIC_TOTAL_STEPS = "martlet_train_steps"
METRIC_EPOCH = "martlet_train_epoch"
METRIC_LOSS = "martlet_train_loss"
METRIC_EVAL_LOSS = "martlet_train_eval_loss"
METRIC_LEARNING_RATE = "martlet_train_learning_rate"
METRIC_REWARD = "martlet_train_reward"
METRIC_MARGIN = "martlet_train_margin"
METRIC_TOKENS_PER_SECOND = "martlet_train_tokens_per_second"
METRIC_ELAPSED = "martlet_train_elapsed_seconds"
"""What the steps done take at this attempt's pace, so that the time left can be told."""
METRIC_TRAIN_MEMORY = "martlet_train_memory_bytes"
"""Peak of the accelerator; of the process where there is none."""
METRIC_CHECKPOINT_STEP = "martlet_train_checkpoint_step"
METRIC_SAMPLES = "martlet_eval_samples"
METRIC_TOTAL_SAMPLES = "martlet_eval_total_samples"
METRIC_RUNG = "martlet_quantize_rung"
METRIC_RUNGS = "martlet_quantize_rungs"


class Input(ApiModel):
    """A model or data file that the pod needs, as ``INPUTS_PATH/name``.

    ``commit`` and ``digest`` are set once they are locked; the stage container then refuses
    anything else.
    """

    name: str
    kind: Literal["Model", "Dataset", "Folder"]
    """A model's folder, a data file, or a folder of data."""
    uri: str
    revision: str | None = None
    commit: str | None = None
    digest: Digest | None = None
    rows: Annotated[
        TrainingRows | Literal["Evaluation", "Text"] | None,
        Field(description="What a dataset's rows must be; checked in preflight."),
    ] = None
    columns: list[str] | None = None
    """What every row must have besides."""
    format: DataFormat | None = None
    weight: float | None = None
    benchmark: str | None = None
    max_samples: int | None = None


class OutputPlan(ApiModel):
    """``uri`` is the artifact's final folder; it appears there whole or not at all."""

    uri: str
    record: dict[str, str]
    """Written beside the weights: owner, resource, run."""
    made_from: list[MadeFrom] = []


class RowsPlan(ApiModel):
    """What to do about bad rows, and which part of all rows people shall see. ``uri`` is the
    folder that preflight writes both to."""

    on_bad_rows: Literal["Fail", "Skip"] = "Fail"
    limit: int = 100
    audit_fraction: float | None = None
    seed: int = 0
    uri: str | None = None


class ContaminationPlan(ApiModel):
    """Which test sets preflight compares with which training sets. A suite without a digest is
    one of the plan's inputs."""

    trained_on: list[TrainingSet]
    suites: list[Input]


class TrainPlan(ApiModel):
    """Inputs: ``model`` (and ``adapter``, to be merged first), ``teacher`` (GKD), ``dataset-0``,
    ``dataset-1``... and ``validation``."""

    method: Method
    rewards: list[Reward] = []
    tuner: Tuner
    hyperparameters: Hyperparameters
    validation: Validation | None = None
    precision: Literal["Auto", "BF16", "FP32"]
    nodes: int = 1
    """Pods that train together."""
    strategy: Strategy = "DDP"
    processes_per_node: int = 1
    """One an accelerator; one where there is none."""
    checkpoint: CheckpointSettings = CheckpointSettings()
    base: ArtifactBase
    output: OutputPlan

    @property
    def processes(self) -> int:
        return self.nodes * self.processes_per_node


class EstimatePlan(ApiModel):
    """What preflight estimates the memory of. Inputs: ``model`` and, for GKD, ``teacher``, of which
    only the configuration is brought."""

    method: Method
    tuner: Tuner
    hyperparameters: Hyperparameters
    precision: Literal["Auto", "BF16", "FP32"]
    on_accelerator: bool
    processes: int = 1
    strategy: StrategyChoice = "Auto"
    capacity: Annotated[
        int | None, Field(description="Bytes of one accelerator; None where it is not known.")
    ] = None
    model: Input
    """The base whose configuration tells the shapes, locked or to be locked."""


class EvaluatePlan(ApiModel):
    """Inputs: ``suite-NAME`` for each suite, and ``model``, for its tokenizer, but of a service.
    The engine answers on ``endpoint``; ``service`` says whose it is, where it is not the pod's
    own."""

    subject: Literal["Model", "Baseline"] = "Model"

    endpoint: str
    service: str | None = None
    served_name: str
    suites: list[Suite]
    generation: Generation
    judge: Judge | None = None
    output: OutputPlan | None = None


class ComparePlan(ApiModel):
    """Inputs: ``samples`` and ``baseline``, the artifacts of two scorings. ``metrics`` are those
    that are told, by suite."""

    metrics: dict[str, list[str]]
    output: OutputPlan


class QuantizePlan(ApiModel):
    """Inputs: ``model`` (and ``adapter``, merged first), ``calibration``, ``perplexity``."""

    engine: Literal["vLLM"]
    on_accelerator: bool
    workload: Workload = "Online"
    ladder: list[Rung] | None = None
    """None where it is to be chosen on the node that compresses."""
    calibration_max_length: int
    max_increase_percent: float
    output: OutputPlan


class VerifyPlan(ApiModel):
    """Inputs: ``model``. The engine that has loaded it answers on ``endpoint``; ``image`` is its
    own, told with what it answered."""

    engine: Literal["vLLM"]
    image: str
    endpoint: str
    served_name: str


class ServePlan(ApiModel):
    """What the stage container checks for an engine: that it can load the model's format."""

    engine: EngineType
    on_accelerator: bool


class Plan(ApiModel):
    """One file for all containers of a pod; each flow reads its own part."""

    kind: str
    namespace: str
    name: str
    run: str
    inputs: list[Input] = []
    rows: RowsPlan | None = None
    estimate: EstimatePlan | None = None
    contamination: ContaminationPlan | None = None
    train: TrainPlan | None = None
    evaluate: EvaluatePlan | None = None
    compare: ComparePlan | None = None
    quantize: QuantizePlan | None = None
    verify: VerifyPlan | None = None
    serve: ServePlan | None = None


class ContaminationResult(StatusModel):
    """``unknown`` are training sets that are not there or not as they were written, and why."""

    suites: list[Overlap]
    unknown: list[str] = []


class TrainResult(StatusModel):
    artifact: Artifact
    steps: int
    loss: float | None = None
    eval_loss: float | None = None


class EvaluateResult(StatusModel):
    """``incomplete`` rows have no score; ``unjudged`` of them have an answer."""

    subject: Literal["Model", "Baseline"] = "Model"
    scores: list[Score]
    incomplete: int = 0
    unjudged: int = 0
    errors: list[str] = []
    artifact: Artifact | None = None


class CompareResult(StatusModel):
    pairings: list[Pairing]
    artifact: Artifact


class QuantizeResult(StatusModel):
    rungs: list[RungResult]
    baseline_perplexity: float
    baseline_tokens_per_second: float | None = None
    source_bytes: int
    ladder_reason: str | None = None
    calibration_rows: int | None = None
    merged: Artifact | None = None
    artifact: Artifact | None = None


class VerifyResult(StatusModel):
    """``seconds``: from the pod's beginning to the first answer. ``version`` is None where the
    engine does not tell it; ``chat``: whether a chat was answered besides a completion."""

    engine: str
    version: str | None = None
    image: str
    seconds: float
    chat: bool


class CacheUse(StatusModel):
    """What one container had of the cache, and how full it left it; sizes in bytes.

    ``hits``, ``misses`` and ``bypassed`` are inputs: found, brought into it, and brought past it
    for want of room.
    """

    limit_bytes: int
    hits: int = 0
    misses: int = 0
    bypassed: int = 0
    saved_bytes: int = 0
    brought_bytes: int = 0
    evicted: int = 0
    evicted_bytes: int = 0
    entries: int = 0
    bytes: int = 0


class Termination(StatusModel):
    """The termination message. ``reason`` and ``message`` are for the Ready condition."""

    flow: str
    succeeded: bool
    reason: Reason
    message: str
    resolved: list[ResolvedInput] | None = None
    rejected: RejectedRows | None = None
    audit: AuditSample | None = None
    trained_on: TrainingSet | None = None
    contamination: ContaminationResult | None = None
    estimate: Estimate | None = None
    estimate_failure: str | None = None
    """What went wrong in estimating, which is no reason not to train."""
    train: TrainResult | None = None
    evaluate: EvaluateResult | None = None
    compare: CompareResult | None = None
    quantize: QuantizeResult | None = None
    verify: VerifyResult | None = None
    cache: CacheUse | None = None


def termination_limit(flow: str) -> int:
    """Bytes that are kept of what the container of a flow says."""
    share = POD_TERMINATION_LIMIT // MOST_CONTAINERS.get(flow, 3)
    return min(CONTAINER_TERMINATION_LIMIT, share)


def preflight_uri(output_uri: str) -> str:
    """The folder of what preflight writes: the audit's sample, the rejected rows, and what the
    rows ask, as digests."""
    return f"{output_uri}-preflight"


def checkpoints_uri(output_uri: str) -> str:
    """The folder of a run's checkpoints: beside its artifact, since that one appears whole."""
    return f"{output_uri}-checkpoints"


def rungs_uri(output_uri: str) -> str:
    """The file of the rungs that a run has tried, for an attempt after this one."""
    return f"{output_uri}-rungs.json"


def merged_uri(output_uri: str, key: str) -> str:
    """An adapter merged into its base, beside the runs that compress it. ``key``: what of."""
    return f"{output_uri.rpartition('/')[0]}/merged-{key}"
