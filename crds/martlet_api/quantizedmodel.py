"""QuantizedModel: compresses a model and keeps the result if perplexity stays within a gate."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Digest, StatusModel, Text, api_config
from martlet_api.engine import EngineSettings
from martlet_api.references import DatasetSource, Output, TrainedModelSource
from martlet_api.runs import Artifact, Count, ModelArtifact, RunStatus, Time
from martlet_api.workload import BatchSpec

Workload = Literal["Online", "Offline"]


class Rung(ApiModel):
    """One way of compressing, tried in the ladder's order."""

    model_config = api_config(
        (
            "!has(self.groupSize) || self.method in ['AWQ', 'AutoRound', 'GPTQ']",
            "groupSize belongs to methods AWQ, AutoRound and GPTQ; remove it",
        ),
        (
            "!has(self.bits) || self.method in ['AWQ', 'AutoRound', 'GPTQ']",
            "bits belongs to methods AWQ, AutoRound and GPTQ, the others have their own; remove it",
        ),
        (
            "!has(self.bits) || self.bits == 4 || self.method == 'GPTQ'",
            "only method GPTQ takes 8 bits; set 4, or use method GPTQ, W8A16 or W8A8",
        ),
    )

    method: Annotated[
        Literal["AWQ", "AutoRound", "FP8", "GPTQ", "W8A16", "W8A8"],
        Field(
            description=(
                "AWQ, AutoRound, GPTQ: integer weights in groups, activations as they are. FP8: "
                "8-bit floats, weights by channel and activations per token. W8A16: int8 weights "
                "by rounding. W8A8: int8 weights by GPTQ and int8 activations per token."
            )
        ),
    ]
    bits: Annotated[
        Literal[4, 8] | None, Field(description="Bits a weight: 4 where left out; 8 with GPTQ.")
    ] = None
    group_size: Annotated[
        Literal[32, 64, 128] | None, Field(description="Weights a scale; 128 where left out.")
    ] = None


class Calibration(ApiModel):
    """Rows that the methods calibrate on, through the model's own chat template."""

    dataset: DatasetSource
    samples: Annotated[int, Field(ge=1, le=65536)] = 256
    max_length: Annotated[int, Field(ge=8, le=131_072)] = 2048


class PerplexityGate(ApiModel):
    """Full precision and compressed model are measured by one script over the same tokens."""

    dataset: DatasetSource
    max_increase_percent: Annotated[float, Field(ge=0, le=1000)] = 5


class Gate(ApiModel):
    perplexity: PerplexityGate


class Verification(EngineSettings):
    """How the engine is started that must load the result and answer before this is Ready."""

    image: Annotated[
        Text | None,
        Field(
            min_length=1,
            description="The engine's, where the service names one in spec.pod.image.",
        ),
    ] = None


class QuantizedModelSpec(BatchSpec):
    model: TrainedModelSource
    engine: Annotated[
        Literal["vLLM"], Field(description="The format is checked against what it can load.")
    ] = "vLLM"
    workload: Annotated[
        Workload,
        Field(
            description=(
                "Online: requests of changing lengths; Offline: fixed batches. Chooses the ladder "
                "(AWQ or GPTQ first) where spec.ladder is left out, and says nothing beside one."
            )
        ),
    ] = "Online"
    ladder: Annotated[
        list[Rung] | None,
        Field(
            min_length=1,
            max_length=8,
            description=(
                "Rungs in the order in which they are tried. Left out: chosen from workload, "
                "engine and processor; status.ladderReason says how."
            ),
        ),
    ] = None
    calibration: Calibration
    gate: Gate
    verification: Annotated[
        Verification,
        Field(
            description=(
                "How the engine is started that must load the result and answer before this is "
                "Ready: as the service that is to come, by its engine.maxModelLen and engine.args."
            )
        ),
    ] = Verification()
    output: Output


class RungResult(StatusModel):
    """A rung that was tried. Perplexities are over the gate's dataset."""

    method: Annotated[str, Field(max_length=32)]
    bits: Count | None = None
    group_size: Count | None = None
    passed: bool
    perplexity: float | None = None
    increase_percent: float | None = None
    bytes: Count | None = None
    seconds: Annotated[float, Field(ge=0)] | None = None
    tokens_per_second: Annotated[
        float | None,
        Field(
            description=(
                "The gate's text scored by transformers with the weights unpacked: compares "
                "rungs, and is not what an engine serves."
            )
        ),
    ] = None
    message: Annotated[Text | None, Field(description="Why it was not tried or failed.")] = None


class QuantizeProgress(StatusModel):
    """Read from the pod's metrics page while it compresses."""

    rung: Count
    rungs: Count
    updated_at: Time


class Verified(StatusModel):
    """The engine that loaded the artifact with this digest and answered."""

    digest: Digest
    engine: Annotated[str, Field(max_length=32)]
    version: Annotated[
        str | None, Field(max_length=64, description="As the engine itself tells it.")
    ] = None
    image: Text
    seconds_to_first_answer: Annotated[float, Field(ge=0, description="Since the pod began.")]
    chat: Annotated[
        bool,
        Field(description="Whether a chat was answered too: the tokenizer has a chat template."),
    ]
    at: Time


class QuantizedModelStatus(RunStatus):
    progress: QuantizeProgress | None = None
    baseline_perplexity: float | None = None
    baseline_tokens_per_second: Annotated[
        float | None, Field(description="Likewise, of the full model.")
    ] = None
    ladder_reason: Annotated[
        Text | None, Field(description="Which rungs were to be tried, and why these.")
    ] = None
    rungs: Annotated[list[RungResult], Field(max_length=8)] | None = None
    chosen: RungResult | None = None
    source_bytes: Count | None = None
    calibration_rows: Annotated[
        Count | None, Field(description="Rows that were there to calibrate on.")
    ] = None
    merged: Annotated[
        Artifact | None,
        Field(description="The adapter merged into its base: made once, and kept."),
    ] = None
    candidate: Annotated[
        ModelArtifact | None,
        Field(
            description=(
                "What was compressed, until the engine has answered with it; then it is the "
                "artifact."
            )
        ),
    ] = None
    verified: Annotated[
        Verified | None, Field(description="Who loaded status.artifact and answered.")
    ] = None
    artifact: ModelArtifact | None = None


class QuantizedModel(ApiModel):
    """Compresses a model; an adapter is merged into its base first."""

    kind: ClassVar[str] = "QuantizedModel"
    plural: ClassVar[str] = "quantizedmodels"
    short_names: ClassVar[tuple[str, ...]] = ("qm",)
    columns: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("Phase", "string", ".status.phase"),
        ("Method", "string", ".status.chosen.method"),
        ("Increase %", "number", ".status.chosen.increasePercent"),
        ("Bytes", "integer", ".status.artifact.bytes"),
        ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    )

    spec: QuantizedModelSpec
    status: QuantizedModelStatus | None = None
