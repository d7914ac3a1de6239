"""InferenceService: serves a model over the OpenAI API, behind a gateway if asked."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from martlet_api.base import ApiModel, Digest, ObjectName, StatusModel, Text, api_config
from martlet_api.canary import Canary
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


class Rollout(ApiModel):
    """Where the pods of another revision find room."""

    strategy: Annotated[
        Literal["Auto", "Surge", "Replace"],
        Field(
            description=(
                "Surge: beside those that serve, which takes twice the accelerators for a while. "
                "Replace: in their place, all but one, which halves what can be served meanwhile. "
                "Auto: as many beside them as there are accelerators free, the others in place."
            )
        ),
    ] = "Auto"


class InferenceServiceSpec(ApiModel):
    model_config = api_config(
        (
            "!has(self.canary) || has(self.endpoint)",
            "a canary needs spec.endpoint: it is the gateway that divides the requests; name one, "
            "or remove spec.canary",
        ),
    )

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
    rollout: Rollout = Rollout()
    canary: Annotated[
        Canary | None,
        Field(
            description=(
                "How another revision takes over. Left out: all requests change to it once it is "
                "loaded."
            )
        ),
    ] = None
    retry: Annotated[
        str,
        Field(
            max_length=64,
            description="A new value resolves the model, and tries what was rejected once more.",
        ),
    ] = ""


class Address(StatusModel):
    """Where clients find the OpenAI API."""

    url: Text


class Revision(StatusModel):
    """The pods of one model digest and one set of engine arguments. ``weight`` is its share of the
    requests in percent, as the gateway is asked for it."""

    revision: Annotated[str, Field(max_length=63)]
    digest: Digest
    ready_replicas: Count = 0
    weight: Annotated[int, Field(ge=0, le=100)] | None = None


class Failure(StatusModel):
    """Why a canary goes back; one that was withdrawn had nothing wrong with it."""

    reason: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=2048)]
    withdrawn: bool = False


class GuardEvidence(StatusModel):
    """What a guard has seen. ``canary`` and ``stable`` are bad requests among all. ``to_fail`` and
    ``to_pass`` are how far the evidence has come on either way: at 1 it is there. ``state`` is all
    of it, to go on from after a restart."""

    guard: Annotated[str, Field(max_length=80)]
    verdict: Annotated[str, Field(max_length=16)]
    canary: Annotated[str | None, Field(max_length=64)] = None
    stable: Annotated[str | None, Field(max_length=64)] = None
    to_fail: float = 0
    to_pass: float = 0
    state: Annotated[str, Field(max_length=16384)]


class CanaryRevision(Revision):
    """A revision on its way. All that the operator must know to go on after a restart."""

    state: Literal["Loading", "Stepping", "Promoting", "Baking", "RollingBack"]
    step: Annotated[
        Count,
        Field(description="Of spec.canary.steps, from 1; 0 before them, one more after them."),
    ] = 0
    started_at: Time
    since: Annotated[
        Time | None, Field(description="When the gateway was seen to have its weight.")
    ] = None
    requests: Annotated[Count, Field(description="Answered by it in this step.")] = 0
    unready_since: Time | None = None
    exposed_at: Annotated[
        Time | None, Field(description="When it was first given requests, if it ever was.")
    ] = None
    evidence: Annotated[list[GuardEvidence], Field(max_length=16)] = []
    spare: Annotated[
        Count | None,
        Field(
            description=(
                "Pods that had room beside the stable revision's when this one began; left out: "
                "enough for all."
            )
        ),
    ] = None
    failure: Failure | None = None


class RejectedRevision(StatusModel):
    """A revision that was given up. It is not tried again without a new ``spec.retry``; one that
    had requests takes its digest along, so that no other revision of that model is tried either."""

    revision: Annotated[str, Field(max_length=63)]
    digest: Digest
    pins: Literal["Digest", "Revision"]
    retry: Annotated[str, Field(max_length=64)] = ""
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
    stable: Annotated[
        Revision | None, Field(description="The revision that the others are measured against.")
    ] = None
    canary: Annotated[
        CanaryRevision | None, Field(description="The one that is to take over, if any.")
    ] = None
    rejected: Annotated[
        list[RejectedRevision] | None, Field(max_length=10, description="The newest first.")
    ] = None
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
        ("Stable", "string", ".status.stable.revision"),
        ("Ready", "integer", ".status.stable.readyReplicas"),
        ("Canary", "string", ".status.canary.revision"),
        ("Weight", "integer", ".status.canary.weight"),
        ("URL", "string", ".status.address.url"),
        ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason"),
    )

    spec: InferenceServiceSpec
    status: InferenceServiceStatus | None = None
