"""FineTuneJob: trains a model, whole or by an adapter."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from martlet_api.base import ApiModel, StatusModel, Text, api_config
from martlet_api.references import DatasetSource, Output, TrainedModelSource
from martlet_api.runs import Artifact, Count, RunStatus, Time
from martlet_api.workload import BatchSpec


class Validation(ApiModel):
    """A part of the rows is kept from training and scored for ``evalLoss``."""

    fraction: Annotated[float, Field(gt=0, le=0.5)]


class CheckpointSettings(ApiModel):
    """Checkpoints lie beside the artifact until the run is done."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    keep: Annotated[int, Field(ge=1, le=100)] = 2


class Tuner(ApiModel):
    """What is trained: an adapter (LoRA, PEFT's names) or every weight (Full)."""

    model_config = api_config(
        (
            "self.type == 'LoRA' || !(has(self.rank) || has(self.alpha) || "
            "has(self.dropout) || has(self.targetModules))",
            "rank, alpha, dropout and targetModules belong to type LoRA; remove them for Full",
        ),
        (
            "self.type == 'LoRA' || !has(self.useRslora)",
            "useRslora belongs to type LoRA; remove it for Full",
        ),
    )

    type: Literal["LoRA", "Full"] = "LoRA"
    rank: Annotated[int | None, Field(ge=1, le=512, description="8 where left out.")] = None
    alpha: Annotated[float | None, Field(gt=0, le=4096, description="32 where left out.")] = None
    dropout: Annotated[float | None, Field(ge=0, lt=1, description="0.05 where left out.")] = None
    target_modules: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]] | None,
        Field(min_length=1, max_length=64, description="[all-linear] where left out."),
    ] = None
    use_rslora: Annotated[
        bool | None, Field(description="rsLoRA: scaled by alpha / sqrt(rank).")
    ] = None


class Hyperparameters(ApiModel):
    """ms-swift's defaults where left out."""

    epochs: Annotated[float, Field(gt=0, le=1000)] = 3
    max_steps: Annotated[
        int | None, Field(ge=1, le=100_000_000, description="Ends after so many, if sooner.")
    ] = None
    learning_rate: Annotated[
        float | None, Field(gt=0, le=1, description="1e-4 for LoRA, 1e-5 for Full.")
    ] = None
    global_batch_size: Annotated[
        int, Field(ge=1, le=65536, description="Rows a step, over all accelerators.")
    ] = 16
    micro_batch_size: Annotated[
        int, Field(ge=1, le=4096, description="Rows a forward pass, on one accelerator.")
    ] = 1
    max_length: Annotated[
        int, Field(ge=8, le=1_048_576, description="Tokens; longer rows are cut.")
    ] = 2048
    packing: Annotated[
        Literal["Auto", "Enabled", "Disabled"],
        Field(description="Rows behind one another without padding; Auto: where the method can."),
    ] = "Auto"
    gradient_checkpointing: Annotated[
        Literal["Auto", "Enabled", "Disabled"],
        Field(description="Less memory for more time; Auto: on accelerators."),
    ] = "Auto"
    weight_decay: Annotated[float, Field(ge=0, le=10)] = 0.1
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.05
    max_grad_norm: Annotated[float, Field(ge=0, le=1000)] = 1.0
    seed: Annotated[int, Field(ge=0, le=4_294_967_295)] = 42


class FineTuneJobSpec(BatchSpec):
    model_config = api_config(
        (
            "self.hyperparameters.globalBatchSize % self.hyperparameters.microBatchSize == 0",
            "hyperparameters.globalBatchSize must be a multiple of microBatchSize",
        )
    )

    model: TrainedModelSource
    datasets: Annotated[list[DatasetSource], Field(min_length=1, max_length=16)]
    validation: Validation | None = None
    method: Literal["SFT"] = "SFT"
    tuner: Tuner = Tuner()
    hyperparameters: Hyperparameters = Hyperparameters()
    precision: Annotated[
        Literal["Auto", "BF16", "FP32"],
        Field(description="Auto: BF16 on an accelerator that has it, else FP32."),
    ] = "Auto"
    checkpoint: CheckpointSettings = CheckpointSettings()
    output: Output


class TrainingProgress(StatusModel):
    """Read from the pod's metrics page while it trains."""

    step: Count
    total_steps: Count
    epoch: Annotated[float, Field(ge=0)] | None = None
    loss: float | None = None
    eval_loss: float | None = None
    learning_rate: float | None = None
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


class FineTuneJobStatus(RunStatus):
    progress: TrainingProgress | None = None
    checkpoint: Checkpoint | None = None
    artifact: Artifact | None = None


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
