"""A revision: the Deployment, Service and plan of one model digest and one set of arguments."""

from dataclasses import dataclass
from typing import Any

from martlet_api import labels
from martlet_api.contract import ENGINE_PORT, Plan, ServePlan
from martlet_api.inferenceservice import InferenceServiceSpec
from martlet_operator.engines.choice import choose
from martlet_operator.engines.container import engine_container, engine_image
from martlet_operator.inputs.cache import Cache
from martlet_operator.inputs.models import KnownModel
from martlet_operator.naming import digest_of, owned_labels, revision_name
from martlet_operator.pods.containers import pod_spec
from martlet_operator.pods.jobs import owner_reference
from martlet_operator.pods.stage import bringing
from martlet_operator.pods.volumes import claims_of, mounts, volumes
from martlet_operator.settings import Settings

Object = dict[str, Any]

RENDERED = "martlet.dev/rendered"
"""Annotation of a Deployment: the hash of its pods' template as it was made."""

_PRE_STOP_SECONDS = 10
_DRAIN_SECONDS = 100
_GRACE_SECONDS = 120
"""More than both together: an engine that has ended its requests still has to end itself."""


@dataclass(frozen=True)
class Wanted:
    """The revision that the spec asks for now."""

    name: str
    model: KnownModel
    cache: Cache | None = None


def wanted(
    resource: Object,
    spec: InferenceServiceSpec,
    model: KnownModel,
    settings: Settings,
    cache: Cache | None = None,
) -> Wanted:
    """Named by what makes it: digests, engine, pod settings and images; not by replicas, and not by
    defaults, or else a field that a later version adds would load every model anew."""
    identity = [
        [item.model_dump(mode="json", exclude_none=True) for item in model.inputs()],
        _engine_identity(spec, model),
        spec.pod.model_dump(mode="json", exclude_defaults=True),
        [settings.images.runtime, engine_image(spec.engine, model, spec.pod, settings.images)],
        spec.retry,
    ]
    return Wanted(revision_name(resource["metadata"]["name"], identity), model, cache)


def _engine_identity(spec: InferenceServiceSpec, model: KnownModel) -> Object:
    """The engine that was chosen, whoever chose it; vLLM, which was the only one, goes unnamed."""
    engine = choose(spec.engine, model, spec.pod).type
    settings = spec.engine.model_dump(mode="json", exclude_defaults=True, exclude={"type"})
    return settings if engine == "vLLM" else {"type": engine, **settings}


def objects(
    resource: Object,
    spec: InferenceServiceSpec,
    want: Wanted,
    settings: Settings,
    replicas: int,
    live: Object | None = None,
) -> list[Object]:
    """Plan, Deployment and Service of the revision, whose ``live`` Deployment may be there."""
    return [
        _plan_map(resource, spec, want),
        _unchanged(_deployment(resource, spec, want, settings, replicas), live),
        service(resource, want.name, want.name),
    ]


def _unchanged(made: Object, live: Object | None) -> Object:
    """With the live pods' template where another would be made today, by a later version or with
    another cache in the namespace: a revision never changes, and no model is loaded anew for that.
    Where the same would be made, what others changed of it is put right."""
    told = live["metadata"].get("annotations", {}).get(RENDERED) if live else None
    if live is None or told == made["metadata"]["annotations"][RENDERED]:
        return made
    annotations = {RENDERED: told} if told else {}
    return {
        **made,
        "metadata": {**made["metadata"], "annotations": annotations},
        "spec": {**made["spec"], "template": live["spec"]["template"]},
    }


def service(resource: Object, name: str, revision: str, about: Object | None = None) -> Object:
    """A Service on port 8080 before the pods of one revision."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about or metadata(resource, name, revision=revision),
        "spec": {
            "selector": selector(resource, revision),
            "ports": [{"name": "http", "port": ENGINE_PORT, "targetPort": ENGINE_PORT}],
        },
    }


def selector(resource: Object, revision: str) -> dict[str, str]:
    return {labels.NAME: resource["metadata"]["name"], labels.REVISION: revision}


def metadata(resource: Object, name: str, **marks: str) -> Object:
    """Metadata of an owned object; ``marks`` are labels of ours."""
    own = resource["metadata"]
    return {
        "name": name,
        "namespace": own["namespace"],
        "labels": owned_labels(resource["kind"], own["name"], **marks),
        "ownerReferences": [owner_reference(resource)],
    }


def _plan_map(resource: Object, spec: InferenceServiceSpec, want: Wanted) -> Object:
    own = resource["metadata"]
    engine = choose(spec.engine, want.model, spec.pod).type
    plan = Plan(
        kind=resource["kind"],
        namespace=own["namespace"],
        name=own["name"],
        run=want.name,
        inputs=want.model.inputs(),
        serve=ServePlan(engine=engine, on_accelerator=spec.pod.accelerator is not None),
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(resource, want.name, revision=want.name),
        "immutable": True,
        "data": {"plan.json": plan.model_dump_json(by_alias=True, exclude_none=True)},
    }


def _deployment(
    resource: Object, spec: InferenceServiceSpec, want: Wanted, settings: Settings, replicas: int
) -> Object:
    about = metadata(resource, want.name, revision=want.name)
    engine = choose(spec.engine, want.model, spec.pod).type
    template = {
        "metadata": {"labels": {**about["labels"], labels.ENGINE: engine}},
        "spec": _pod(resource, spec, want, settings),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**about, "annotations": {RENDERED: digest_of(template)[:16]}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": selector(resource, want.name)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


def _pod(resource: Object, spec: InferenceServiceSpec, want: Wanted, settings: Settings) -> Object:
    claims = claims_of(want.model.uris)
    served = resource["metadata"]["name"]
    mounted = mounts(claims, want.cache)
    engine = engine_container(
        spec.engine,
        want.model,
        served,
        spec.pod,
        settings.images,
        mounted,
        drain_seconds=_DRAIN_SECONDS,
    )
    # The pod leaves the endpoints at once but the gateway hears of it later.
    drain = {"lifecycle": {"preStop": {"sleep": {"seconds": _PRE_STOP_SECONDS}}}}
    return pod_spec(
        spec.pod,
        init=bringing(settings.images, claims, list(want.model.secrets), want.cache),
        containers=[{**engine, **drain}],
        volumes=volumes(want.name, claims, want.cache),
        grace_seconds=_GRACE_SECONDS,
    )
