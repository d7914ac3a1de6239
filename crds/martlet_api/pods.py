"""What users may say about the pods that work for a resource."""

from typing import Annotated, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Quantity, Text, api_config

LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class ResourceRequirements(ApiModel):
    """``corev1.ResourceRequirements`` for the container that does the work."""

    requests: Annotated[dict[LabelKey, Quantity], Field(max_length=16)] | None = None
    limits: Annotated[dict[LabelKey, Quantity], Field(max_length=16)] | None = None


class Toleration(ApiModel):
    """``corev1.Toleration``."""

    key: Annotated[str, Field(max_length=317)] | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None


class PodSettings(ApiModel):
    """Where the pods run and what they may use."""

    model_config = api_config(
        (
            "!has(self.acceleratorsPerPod) || has(self.accelerator)",
            "acceleratorsPerPod needs accelerator: name the resource, such as nvidia.com/gpu",
        ),
        (
            "!has(self.acceleratorMemory) || has(self.accelerator)",
            "acceleratorMemory needs accelerator: name the resource, such as nvidia.com/gpu",
        ),
    )

    accelerator: Annotated[
        str | None,
        Field(
            max_length=317,
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
            description="The extended resource of the accelerator; left out, the CPU works.",
        ),
    ] = None
    accelerators_per_pod: Annotated[
        int | None, Field(ge=1, le=64, description="1 where an accelerator is named.")
    ] = None
    accelerator_memory: Annotated[
        Quantity | None,
        Field(
            description=(
                "Of one accelerator. Left out: what the nodes' label nvidia.com/gpu.memory or "
                "amd.com/gpu.vram says."
            )
        ),
    ] = None
    resources: ResourceRequirements | None = None
    node_selector: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] | None = None
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = None
    priority_class_name: Annotated[str, Field(max_length=253)] | None = None
    runtime_class_name: Annotated[str, Field(max_length=253)] | None = None
    image: Annotated[
        Text | None,
        Field(
            min_length=1,
            description="Instead of the operator's image for the container that does the work.",
        ),
    ] = None


class Retries(ApiModel):
    """How often a failure that is worth retrying (a lost node, a hub that is down) is retried."""

    limit: Annotated[int, Field(ge=0, le=20)] = 3
