"""What every kind's status has: the run, what its inputs were locked to, what it made."""

from typing import Annotated

from pydantic import Field

from martlet_api.base import Digest, StatusModel, Text
from martlet_api.conditions import Condition

Time = Annotated[str, Field(max_length=40)]
Count = Annotated[int, Field(ge=0)]


class Run(StatusModel):
    """One attempt to make what the spec asks for. ``id`` is the hash of what makes it."""

    id: Annotated[str, Field(max_length=16)]
    started_at: Time
    finished_at: Time | None = None


class ResolvedInput(StatusModel):
    """What a moving name was locked to before work began."""

    name: Annotated[str, Field(max_length=72)]
    uri: Text
    revision: Annotated[str, Field(max_length=256)] | None = None
    commit: Annotated[str, Field(max_length=128)] | None = None
    digest: Digest
    files: Count
    bytes: Count
    rows: Count | None = None
    rejected_rows: Count | None = None
    format: Annotated[str, Field(max_length=64)] | None = None


class MadeFrom(StatusModel):
    """One link of the chain: an input by name and digest."""

    name: Annotated[str, Field(max_length=72)]
    digest: Digest
    resource: Annotated[str | None, Field(max_length=128, description="Kind/name, if ours.")] = None


class Artifact(StatusModel):
    """What a run made. ``base`` is set for an adapter: the model that it must be laid over."""

    uri: Text
    digest: Digest
    format: Annotated[
        str,
        Field(max_length=64, description="safetensors, peft-adapter or compressed-tensors."),
    ]
    bytes: Count
    base: "ArtifactBase | None" = None
    adapter_rank: Annotated[int | None, Field(ge=1, description="The rank of an adapter.")] = None
    run: Annotated[str | None, Field(max_length=16)] = None


class ArtifactBase(StatusModel):
    """The base of an adapter, by URI, commit and digest."""

    uri: Text
    revision: Annotated[str, Field(max_length=256)] | None = None
    commit: Annotated[str, Field(max_length=128)] | None = None
    digest: Digest


class TrainingSet(StatusModel):
    """The rows that a run was trained on, as a file of digests of what they ask, so that test sets
    can be compared with it. Without a ``uri`` none was written."""

    resource: Annotated[str, Field(max_length=128, description="Kind/name of whose run.")]
    uri: Text | None = None
    digest: Digest | None = None
    rows: Count | None = None


class ModelArtifact(Artifact):
    """A model that was made here."""

    trained_on: Annotated[
        list[TrainingSet] | None,
        Field(
            max_length=64,
            description=(
                "By the run itself and by those that made what it began with; what a base named "
                "by URI was trained on is not known. Absent where an older version made it."
            ),
        ),
    ] = None


class RunStatus(StatusModel):
    """The part of the status that all four kinds share."""

    observed_generation: Count | None = None
    phase: Annotated[str | None, Field(max_length=32, description="For people; derived.")] = None
    run: Run | None = None
    resolved: Annotated[
        list[ResolvedInput] | None,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    made_from: Annotated[
        list[MadeFrom] | None,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ] = None
    conditions: Annotated[
        list[Condition] | None,
        Field(
            max_length=8,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = None
