"""How requests reach the revisions: a Service by the resource's name, and an HTTPRoute."""

from dataclasses import dataclass
from typing import Any

from martlet_api import labels
from martlet_api.contract import ENGINE_PORT
from martlet_api.inferenceservice import Address, Endpoint
from martlet_operator.inferenceservice import revision

Object = dict[str, Any]

PART = {"part": "endpoint"}
"""Marks the objects that belong to the service as a whole and to none of its revisions."""

API_PREFIX = "/v1"
"""Only the OpenAI API is let through: the engine's metrics and management pages are not."""


@dataclass(frozen=True)
class Ways:
    """``weights``: percent of the gateway's requests by revision. ``inside``: the revision that
    requests from within the cluster reach."""

    weights: dict[str, int]
    inside: str


def objects(
    resource: Object, endpoint: Endpoint | None, ways: Ways, live: Object | None = None
) -> list[Object]:
    """The Service inside the cluster, and the route if an endpoint is asked for."""
    about = revision.metadata(resource, resource["metadata"]["name"], **PART)
    inside = revision.service(resource, about["name"], ways.inside, about)
    return [inside, *([_route(about, endpoint, ways, live)] if endpoint else [])]


def addresses(resource: Object, endpoint: Endpoint | None) -> dict[str, Address]:
    """The parts of the status that say where clients find the API."""
    name, namespace = resource["metadata"]["name"], resource["metadata"]["namespace"]
    inside = Address(url=f"http://{name}.{namespace}.svc:8080/v1")
    outside = Address(url=f"http://{endpoint.hostnames[0]}/v1") if endpoint else None
    return {"address": outside or inside, "cluster_address": inside}


def _route(about: Object, endpoint: Endpoint, ways: Ways, live: Object | None) -> Object:
    """Rules that others added stay behind ours: the list of rules has one owner in the API."""
    others = [rule for rule in _rules(live) if not _is_ours(rule, about)]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": about,
        "spec": {
            "parentRefs": [endpoint.gateway.to_dict()],
            "hostnames": list(endpoint.hostnames),
            "rules": [_rule(ways), *others],
        },
    }


def _rule(ways: Ways) -> Object:
    """Without a time limit: a stream of tokens lasts as long as it lasts."""
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": API_PREFIX}}],
        "timeouts": {"request": "0s"},
        "backendRefs": [
            {"name": name, "port": ENGINE_PORT, "weight": weight}
            for name, weight in sorted(ways.weights.items())
        ],
    }


def _is_ours(rule: Object, about: Object) -> bool:
    """Ours leads to revisions, which are named after the resource."""
    prefix = f"{about['labels'][labels.NAME]}-"
    refs = rule.get("backendRefs", [])
    return bool(refs) and all(ref["name"].startswith(prefix) for ref in refs)


def _rules(route: Object | None) -> list[Object]:
    found: list[Object] = (route or {}).get("spec", {}).get("rules", [])
    return found


def taken(route: Object | None) -> dict[str, int] | None:
    """Percent by revision that a gateway has taken, without those that get nothing; None where it
    has not taken the route as it is now."""
    if route is None or not is_accepted(route):
        return None
    ours = next((rule for rule in _rules(route) if _is_ours(rule, route["metadata"])), {})
    refs = ours.get("backendRefs", [])
    return {ref["name"]: ref.get("weight", 1) for ref in refs if ref.get("weight", 1)}


def is_accepted(route: Object | None) -> bool:
    """Whether a gateway has taken the route as it is now, with all that it leads to."""
    if any(c["status"] == "False" for c in _told(route, "ResolvedRefs")):
        return False
    return any(c["status"] == "True" for c in _told(route, "Accepted"))


def refusal(route: Object | None) -> str | None:
    """Why a gateway does not take the route."""
    for condition in _told(route, "Accepted"):
        if condition["status"] == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return None


def _told(route: Object | None, kind: str) -> list[Object]:
    """Conditions about the route's current generation, of all its parents."""
    if route is None:
        return []
    generation = route["metadata"].get("generation")
    return [
        condition
        for parent in route.get("status", {}).get("parents", [])
        for condition in parent.get("conditions", [])
        if condition["type"] == kind and condition.get("observedGeneration") == generation
    ]
