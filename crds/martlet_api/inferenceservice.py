"""InferenceService: serves a model over the OpenAI API, behind a gateway if asked."""

from typing import Annotated, ClassVar

from pydantic import Field

from martlet_api.base import ApiModel, Digest, ObjectName, StatusModel, Text
from martlet_api.engine import Engine, EngineStatus
from martlet_api.pods import PodSettings
from martlet_api.references import ModelSource
from martlet_api.runs import Count, RunStatus, Time

Hostname = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]


class ServiceGate(ApiModel):
    """An EvalRun of the namespace that must have passed for the digest to be served."""

    eval_run: ObjectName


class GatewayReference(ApiModel):
    """A Gateway API Gateway that accepts routes from this namespace."""

    name: ObjectName
    namespace: Annotated[
        ObjectName | None, Field(description="The resource's own where left out.")
    ] = None


class Endpoint(ApiModel):
    """How the service is reached from outside the cluster, by an HTTPRoute."""

    gateway: GatewayReference
    hostnames: Annotated[list[Hostname], Field(min_length=1, max_length=16)]


class InferenceServiceSpec(ApiModel):
    model: ModelSource
    gates: Annotated[
        list[ServiceGate],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["evalRun"],
            },
        ),
    ] = []
    engine: Engine = Engine()
    replicas: Annotated[int, Field(ge=0, le=1024)] = 1
    pod: PodSettings = PodSettings()
    endpoint: Endpoint | None = None
    retry: Annotated[
        str,
        Field(max_length=64, description="A new value resolves the model and tries once more."),
    ] = ""


class Address(StatusModel):
    """Where clients find the OpenAI API."""

    url: Text


class Revision(StatusModel):
    """The pods of one model digest and one set of engine arguments."""

    revision: Annotated[str, Field(max_length=63)]
    digest: Digest
    ready_replicas: Count = 0


class FailedRevision(StatusModel):
    """A revision that could not be served; it is not tried again until ``spec.retry`` or what it
    is made of changes."""

    revision: Annotated[str, Field(max_length=63)]
    digest: Digest
    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=2048)]
    at: Time


class Timings(StatusModel):
    """When each part of the way to Ready was over, of the revision's first pod."""

    scheduled: Time | None = None
    staged: Time | None = None
    engine_started: Time | None = None
    ready: Time | None = None


class InferenceServiceStatus(RunStatus):
    engine: Annotated[
        EngineStatus | None, Field(description="Of the revision that is wanted now.")
    ] = None
    address: Address | None = None
    cluster_address: Address | None = None
    serving: Annotated[
        Revision | None, Field(description="The revision that requests reach now.")
    ] = None
    next: Annotated[Revision | None, Field(description="The one being loaded, if any.")] = None
    failed: FailedRevision | None = None
    timings: Timings | None = None
    replicas: Count | None = None
    selector: Text | None = None


class InferenceService(ApiModel):
    """Serves one model. The served name of the model is the resource's name."""

    kind: ClassVar[str] = "InferenceService"
    plural: ClassVar[str] = "inferenceservices"
    short_names: ClassVar[tuple[str, ...]] = ("msvc",)
    scale: ClassVar[dict[str, str]] = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    columns: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("Phase", "string", ".status.phase"),
        ("Revision", "string", ".status.serving.revision"),
        ("Ready", "integer", ".status.serving.readyReplicas"),
        ("URL", "string", ".status.address.url"),
        ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    )

    spec: InferenceServiceSpec
    status: InferenceServiceStatus | None = None
