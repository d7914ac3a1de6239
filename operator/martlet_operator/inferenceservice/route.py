"""How requests reach the serving revision: a Service by the resource's name, and an HTTPRoute."""

from typing import Any

from martlet_api.contract import ENGINE_PORT
from martlet_api.inferenceservice import InferenceServiceSpec
from martlet_operator.inferenceservice import revision

Object = dict[str, Any]

PART = {"part": "endpoint"}
"""Marks the objects that belong to the service as a whole and to none of its revisions."""

_API_PREFIX = "/v1"
"""Only the OpenAI API is let through: the engine's metrics and management pages are not."""


def objects(resource: Object, spec: InferenceServiceSpec, serving: str) -> list[Object]:
    """The Service inside the cluster, and the route if an endpoint is asked for."""
    about = revision.metadata(resource, resource["metadata"]["name"], **PART)
    inside = revision.service(resource, about["name"], serving, about)
    return [inside, *([_route(about, spec, serving)] if spec.endpoint else [])]


def _route(about: Object, spec: InferenceServiceSpec, serving: str) -> Object:
    assert spec.endpoint is not None
    gateway = spec.endpoint.gateway.to_dict()
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": about,
        "spec": {
            "parentRefs": [gateway],
            "hostnames": list(spec.endpoint.hostnames),
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": _API_PREFIX}}],
                    "backendRefs": [{"name": serving, "port": ENGINE_PORT, "weight": 100}],
                }
            ],
        },
    }


def leads_to(route: Object | None) -> str | None:
    """The revision that a live route sends requests to."""
    rules = (route or {}).get("spec", {}).get("rules", [])
    return rules[0]["backendRefs"][0]["name"] if rules else None


def is_accepted(route: Object | None) -> bool:
    """Whether a gateway has taken the route as it is now."""
    return any(c["status"] == "True" for c in _accepted(route))


def refusal(route: Object | None) -> str | None:
    """Why a gateway does not take the route."""
    for condition in _accepted(route):
        if condition["status"] == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return None


def _accepted(route: Object | None) -> list[Object]:
    """The Accepted conditions about the route's current generation, of all its parents."""
    if route is None:
        return []
    generation = route["metadata"].get("generation")
    return [
        condition
        for parent in route.get("status", {}).get("parents", [])
        for condition in parent.get("conditions", [])
        if condition["type"] == "Accepted" and condition.get("observedGeneration") == generation
    ]
