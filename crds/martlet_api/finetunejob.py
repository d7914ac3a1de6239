"""FineTuneJob: trains a model, whole or by an adapter."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Digest, StatusModel, Text, api_config
from martlet_api.references import (
    REVISION_RULE,
    DatasetSource,
    Output,
    TrainedModelSource,
    Uri,
    UriSource,
)
from martlet_api.runs import Count, ModelArtifact, RunStatus, Time, TrainingSet
from martlet_api.training import (
    METHOD_SETTINGS,
    REWARDED,
    SHARDING,
    SHARED_METHODS,
    SHARED_TUNERS,
    Hyperparameters,
    Method,
    Reward,
    Strategy,
    StrategyChoice,
    Tuner,
    belongs,
)
from martlet_api.workload import BatchSpec

DataFormat = Literal["Auto", "JSONL", "JSON", "CSV", "Parquet"]


class TrainingDataset(DatasetSource):
    """Rows to train on. ``weight`` is for several data sets that are mixed."""

    model_config = api_config(REVISION_RULE)

    format: Annotated[
        DataFormat,
        Field(description="Auto: told by the name's ending, else by the first bytes."),
    ] = "Auto"
    weight: Annotated[
        float | None,
        Field(
            gt=0,
            le=1000,
            description=(
                "The share of this data set in an epoch, beside the others' weights: rows are "
                "left out or repeated to reach it. Left out on all: every row once."
            ),
        ),
    ] = None


class TeacherSource(UriSource):
    """GKD's teacher, by URI: it must share the model's vocabulary."""

    model_config = api_config(REVISION_RULE)

    uri: Uri


class Validation(ApiModel):
    """Rows that are kept from training and scored for ``evalLoss``."""

    model_config = api_config(
        (
            "has(self.fraction) != has(self.dataset)",
            "exactly one of fraction and dataset must be set: fraction keeps a part of the "
            "training rows, dataset names rows of their own",
        )
    )

    fraction: Annotated[float | None, Field(gt=0, le=0.5)] = None
    dataset: DatasetSource | None = None


class Audit(ApiModel):
    """A sample of the rows that people may look at before an accelerator is asked for."""

    fraction: Annotated[
        float, Field(ge=0.05, le=1, description="Of every thousand rows, at least this part.")
    ] = 0.05
    approval: Annotated[
        Literal["NotRequired", "Required"],
        Field(description="Required: training waits until a person has approved the sample."),
    ] = "NotRequired"


class Parallelism(ApiModel):
    """Over how many pods training is spread, and how their processes share the model. The
    accelerators of each: spec.pod.acceleratorsPerPod."""

    strategy: Annotated[
        StrategyChoice,
        Field(
            description=(
                "DDP: each process has the whole model. FSDP (2), ZeRO3: each has a part. ZeRO2: "
                "each has all weights, and a part of gradients and optimizer. Auto: DDP where it "
                "fits, else FSDP; status.estimate says which."
            )
        ),
    ] = "Auto"
    nodes: Annotated[int, Field(ge=1, le=256, description="Pods, one a node.")] = 1


class CheckpointSettings(ApiModel):
    """Checkpoints lie beside the artifact until the run is done."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    keep: Annotated[int, Field(ge=1, le=100)] = 2


_PROCESSES = (
    "self.parallelism.nodes * (has(self.pod.acceleratorsPerPod) ? self.pod.acceleratorsPerPod : 1)"
)
_SHARDING = ", ".join(f"'{strategy}'" for strategy in SHARDING)
_SHARED_METHODS = ", ".join(f"'{method}'" for method in SHARED_METHODS)
_SHARED_TUNERS = ", ".join(f"'{tuner}'" for tuner in SHARED_TUNERS)
_REWARDED = ", ".join(f"'{method}'" for method in REWARDED)


class FineTuneJobSpec(BatchSpec):
    model_config = api_config(
        (
            "self.method != 'PPO'",
            "method PPO is not supported: TRL has dropped it; use GRPO or RLOO with rewards, "
            "which need no critic",
        ),
        (
            f"has(self.rewards) == (self.method in [{_REWARDED}])",
            "rewards belongs to the methods GRPO, RLOO and OnlineDPO, which need at least one; add "
            "or remove it",
        ),
        (
            "has(self.teacher) == (self.method == 'GKD')",
            "teacher belongs to method GKD, which needs one; add or remove it",
        ),
        *(
            belongs("self", "method", f"hyperparameters.{field}", owners)
            for field, owners in METHOD_SETTINGS.items()
        ),
        (
            "self.method != 'KTO' || (has(self.hyperparameters.microBatchSize) ? "
            "self.hyperparameters.microBatchSize : self.hyperparameters.globalBatchSize) >= 2",
            "method KTO needs at least 2 rows a micro-batch: an answer is compared with those to "
            "other questions; raise hyperparameters.microBatchSize or globalBatchSize",
        ),
        (
            "!(self.method in ['GRPO', 'RLOO']) || self.hyperparameters.globalBatchSize % "
            "(has(self.hyperparameters.numGenerations) ? self.hyperparameters.numGenerations : 8) "
            "== 0",
            "hyperparameters.globalBatchSize counts answers and must be a multiple of "
            "numGenerations (8 where left out)",
        ),
        (
            f"self.hyperparameters.globalBatchSize % ({_PROCESSES} * "
            "(has(self.hyperparameters.microBatchSize) ? self.hyperparameters.microBatchSize : 1))"
            " == 0",
            "hyperparameters.globalBatchSize must be a multiple of microBatchSize times the "
            "accelerators of all pods (parallelism.nodes, pod.acceleratorsPerPod)",
        ),
        (
            "self.method == 'PT' || self.method == 'SFT' || "
            "self.hyperparameters.packing != 'Enabled'",
            "hyperparameters.packing Enabled needs method PT or SFT; leave it out",
        ),
        (
            "self.hyperparameters.optimizer != 'GaLore' || self.tuner.type == 'Full'",
            "hyperparameters.optimizer GaLore projects the gradients of whole weights; set "
            "tuner.type Full",
        ),
        (
            f"!(self.parallelism.strategy in [{_SHARDING}]) || {_PROCESSES} > 1",
            "parallelism.strategy FSDP, ZeRO2 and ZeRO3 share a model among several processes; "
            "raise parallelism.nodes or pod.acceleratorsPerPod, or use Auto",
        ),
        (
            f"!(self.parallelism.strategy in [{_SHARDING}]) || "
            f"(self.method in [{_SHARED_METHODS}] && self.tuner.type in [{_SHARED_TUNERS}] && "
            "!has(self.tuner.loraplusLrRatio) && !(has(self.tuner.initLoraWeights) && "
            "self.tuner.initLoraWeights == 'PiSSA') && "
            "self.hyperparameters.optimizer == 'AdamW')",
            "parallelism.strategy FSDP, ZeRO2 and ZeRO3 take the methods "
            f"{', '.join(SHARED_METHODS)}, the tuners LoRA and Full, and neither PiSSA, LoRA+ nor "
            "GaLore; use strategy DDP",
        ),
        (
            "!has(self.badRowsLimit) || self.onBadRows == 'Skip'",
            "badRowsLimit belongs to onBadRows Skip; remove it, or set onBadRows",
        ),
        (
            "self.datasets.all(d, has(d.weight)) || self.datasets.all(d, !has(d.weight))",
            "datasets: give a weight to all of them or to none",
        ),
    )

    model: TrainedModelSource
    teacher: Annotated[
        TeacherSource | None,
        Field(description="GKD: the model whose probabilities are learnt."),
    ] = None
    datasets: Annotated[list[TrainingDataset], Field(min_length=1, max_length=16)]
    validation: Validation | None = None
    on_bad_rows: Annotated[
        Literal["Fail", "Skip"],
        Field(description="Skip: bad rows are left out, counted, and kept in a file of their own."),
    ] = "Fail"
    bad_rows_limit: Annotated[
        int | None,
        Field(ge=1, le=1_000_000_000, description="Skip at most this many; 100 where left out."),
    ] = None
    audit: Audit = Audit()
    method: Method = "SFT"
    rewards: Annotated[list[Reward] | None, Field(min_length=1, max_length=8)] = None
    tuner: Tuner = Tuner()
    hyperparameters: Hyperparameters = Hyperparameters()
    precision: Annotated[
        Literal["Auto", "BF16", "FP32"],
        Field(description="Auto: BF16 on an accelerator that has it, else FP32."),
    ] = "Auto"
    parallelism: Parallelism = Parallelism()
    checkpoint: CheckpointSettings = CheckpointSettings()
    dry_run: Annotated[
        bool, Field(description="True: stops after the estimate; nothing is trained.")
    ] = False
    output: Output


class TrainingProgress(StatusModel):
    """Read from the pod's metrics page while it trains."""

    step: Count
    total_steps: Count
    epoch: Annotated[float, Field(ge=0)] | None = None
    loss: float | None = None
    eval_loss: float | None = None
    learning_rate: float | None = None
    reward: Annotated[
        float | None, Field(description="Mean of the answers, for methods with rewards.")
    ] = None
    margin: Annotated[
        float | None, Field(description="Chosen over rejected, for methods with preferences.")
    ] = None
    tokens_per_second: Annotated[float, Field(ge=0)] | None = None
    memory_bytes: Annotated[
        Count | None, Field(description="Peak of the accelerator; of the process on a CPU.")
    ] = None
    finishes_at: Time | None = None
    updated_at: Time


class Checkpoint(StatusModel):
    """The newest whole checkpoint."""

    step: Count
    uri: Text


class RejectedRows(StatusModel):
    """The rows that were left out, with where they stood and what was wrong with each."""

    uri: Text
    digest: Digest
    rows: Count


class AuditSample(StatusModel):
    """A sample of the rows, as a file that people may read. It is approved by the annotation
    ``martlet.dev/approved-sample`` with this digest."""

    sample: Text
    digest: Digest
    rows: Count


class Estimate(StatusModel):
    """What training needs of each accelerator (of the container, on a CPU), in bytes, and the
    settings that were chosen by it."""

    per_accelerator: Count
    available: Annotated[
        Count | None, Field(description="Absent where nothing says what there is.")
    ] = None
    breakdown: Annotated[
        dict[Annotated[str, Field(max_length=32)], Count],
        Field(
            max_length=16,
            description="weights, adapter, gradients, optimizer, activations, runtime.",
        ),
    ]
    precision: Literal["BF16", "FP32"]
    micro_batch_size: Annotated[int, Field(ge=1)]
    gradient_checkpointing: bool
    strategy: Annotated[
        Strategy | None, Field(description="Absent where one process trains alone.")
    ] = None


class FineTuneJobStatus(RunStatus):
    progress: TrainingProgress | None = None
    estimate: Estimate | None = None
    audit: AuditSample | None = None
    rejected: RejectedRows | None = None
    trained_on: Annotated[
        TrainingSet | None,
        Field(description="Of this run; the artifact has it, too, once it is made."),
    ] = None
    checkpoint: Checkpoint | None = None
    artifact: ModelArtifact | None = None


class FineTuneJob(ApiModel):
    """Trains a model and writes an artifact: an adapter over its base, or a whole model."""

    model_config = api_config(
        (
            "!has(self.spec.model.from) || self.spec.model.from.name != self.metadata.name",
            "spec.model.from must not name the resource itself; name another FineTuneJob or a uri",
        )
    )
    kind: ClassVar[str] = "FineTuneJob"
    plural: ClassVar[str] = "finetunejobs"
    short_names: ClassVar[tuple[str, ...]] = ("ftj",)
    columns: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("Phase", "string", ".status.phase"),
        ("Step", "integer", ".status.progress.step"),
        ("Of", "integer", ".status.progress.totalSteps"),
        ("Loss", "number", ".status.progress.loss"),
        ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    )

    spec: FineTuneJobSpec
    status: FineTuneJobStatus | None = None
