"""Whether requests from outside the cluster reach the service, and what stands in their way. Pure.

By the Gateway API's rules of precedence: of two routes with the same hostname and path the older
one has all requests, and a longer path has its part of them, without a word to the other.
"""

from typing import Any

from martlet_api.conditions import Reason
from martlet_api.inferenceservice import Endpoint
from martlet_operator.cluster.routing import Roads
from martlet_operator.conditions.fold import Ready
from martlet_operator.inferenceservice import route

Object = dict[str, Any]


def routed(resource: Object, endpoint: Endpoint, live: Object | None, roads: Roads) -> Ready:
    """What the condition Routed says; ``live`` is the service's own route."""
    if trouble := _trouble(resource, endpoint, live, roads):
        return trouble
    gateway = endpoint.gateway.name
    if route.taken(live) is None:
        text = f"Waits for Gateway {gateway} to take the route; goes on by itself."
        return Ready("Unknown", Reason.PENDING, text)
    if sticky := _keeping_sessions(resource, live, roads):
        text = (
            f"HTTPRoute {sticky} keeps sessions (sessionPersistence): its users stay with a "
            "revision whatever its weight, also with one that is rolled back. Remove it there."
        )
        return Ready("True", Reason.SESSION_PERSISTENCE, text)
    return Ready("True", Reason.ROUTE_ACCEPTED, f"Gateway {gateway} takes the route.")


def _trouble(
    resource: Object, endpoint: Endpoint, live: Object | None, roads: Roads
) -> Ready | None:
    if roads.is_known and roads.gateway is None:
        where = endpoint.gateway.namespace or resource["metadata"]["namespace"]
        text = (
            f"There is no Gateway {endpoint.gateway.name} in namespace {where}. Create it, and "
            "this goes on by itself; or correct spec.endpoint.gateway."
        )
        return Ready("False", Reason.GATEWAY_NOT_FOUND, text)
    if refused := route.refusal(live):
        text = f"The gateway does not take the route ({refused}). Correct spec.endpoint."
        return Ready("False", Reason.ROUTE_NOT_ACCEPTED, text)
    for other in roads.routes:
        if host := _taken_by(other, resource, endpoint, live):
            text = (
                f"Requests for {host} go to HTTPRoute {_name(other)}, which has that hostname on "
                "the same Gateway. Name another one in spec.endpoint.hostnames, or remove it there."
            )
            return Ready("False", Reason.HOSTNAME_TAKEN, text)
    return None


def _taken_by(
    other: Object, resource: Object, endpoint: Endpoint, live: Object | None
) -> str | None:
    """The hostname that another route has before this one."""
    if _is_own(other, resource) or not _is_on(other, resource, endpoint):
        return None
    shared = sorted(set(other["spec"].get("hostnames", [])) & set(endpoint.hostnames))
    paths = [path for rule in other["spec"].get("rules", []) for path in _paths(rule)]
    is_longer = any(path.startswith(f"{route.API_PREFIX}/") for path in paths)
    is_older = route.API_PREFIX in paths and (live is None or _age(other) < _age(live))
    return shared[0] if shared and (is_longer or is_older) else None


def _is_own(other: Object, resource: Object) -> bool:
    own, about = resource["metadata"], other["metadata"]
    return bool((own["namespace"], own["name"]) == (about["namespace"], about["name"]))


def _is_on(other: Object, resource: Object, endpoint: Endpoint) -> bool:
    """Whether a route is attached to the same Gateway."""
    named = endpoint.gateway
    wanted = (named.namespace or resource["metadata"]["namespace"], named.name)
    own = other["metadata"]["namespace"]
    refs = other["spec"].get("parentRefs", [])
    return any((ref.get("namespace", own), ref["name"]) == wanted for ref in refs)


def _paths(rule: Object) -> list[str]:
    """Of a rule's matches by path, without a slash at the end; a pattern's place is the gateway's
    own affair."""
    found = [match.get("path", {}) for match in rule.get("matches", [])]
    return [
        path.get("value", "/").rstrip("/")
        for path in found
        if path.get("type", "PathPrefix") != "RegularExpression"
    ]


def _age(item: Object) -> tuple[str, str]:
    """Smaller is older; of the same second the one first by name."""
    return item["metadata"].get("creationTimestamp", ""), _name(item)


def _keeping_sessions(resource: Object, live: Object | None, roads: Roads) -> str | None:
    """A route to the service's pods that pins users to a revision."""
    for item in [*([live] if live else []), *roads.routes]:
        rules = item["spec"].get("rules", [])
        if any("sessionPersistence" in rule and _leads_to(resource, item, rule) for rule in rules):
            return _name(item)
    return None


def _leads_to(resource: Object, item: Object, rule: Object) -> bool:
    own = resource["metadata"]
    return any(
        ref.get("namespace", item["metadata"]["namespace"]) == own["namespace"]
        and (ref["name"] == own["name"] or ref["name"].startswith(f"{own['name']}-"))
        for ref in rule.get("backendRefs", [])
    )


def _name(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"
