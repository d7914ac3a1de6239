"""What stands in the way of requests, as the condition Routed says it."""

from typing import Any

import pytest
from operator_builders import NAMESPACE, resource

from martlet_api.inferenceservice import Endpoint
from martlet_operator.cluster.routing import Roads
from martlet_operator.inferenceservice.routed import routed
from martlet_operator.naming import owned_labels

Object = dict[str, Any]

GATEWAY: Object = {"metadata": {"name": "gw", "namespace": "gateways"}}
ENDPOINT = Endpoint.model_validate(
    {"gateway": {"name": "gw", "namespace": "gateways"}, "hostnames": ["a.example.com"]}
)
SERVICE = resource("InferenceService", "chat")


def route(
    name: str = "other", namespace: str = "elsewhere", age: int = 1, **changes: Any
) -> Object:
    """Attached to the same Gateway, with our hostname and path; ``age`` is its second of birth."""
    spec = {
        "parentRefs": [{"name": "gw", "namespace": "gateways"}],
        "hostnames": ["a.example.com"],
        "rules": [rule("/v1")],
        **changes,
    }
    about = {
        "name": name,
        "namespace": namespace,
        "generation": 1,
        "creationTimestamp": f"2026-01-01T00:00:0{age}Z",
    }
    marks = owned_labels("InferenceService", name)
    return {"metadata": {**about, "labels": marks}, "spec": spec}


def rule(path: str, **more: Any) -> Object:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], **more}


def own(accepted: str = "True", resolved: str = "True", **more: Any) -> Object:
    """Our route, born in second 5."""
    told = {"observedGeneration": 1, "reason": "NotAllowedByListeners", "message": "No listener."}
    found = [
        {"type": "Accepted", "status": accepted, **told},
        {"type": "ResolvedRefs", "status": resolved, **told},
    ]
    refs = [{"name": "chat-1", "weight": 100}]
    ours = route("chat", NAMESPACE, 5, rules=[rule("/v1", backendRefs=refs, **more)])
    return {**ours, "status": {"parents": [{"conditions": found}]}}


def told(live: Object | None, *others: Object, gateway: Object | None = GATEWAY) -> Any:
    found = routed(SERVICE, ENDPOINT, live, Roads(gateway, True, list(others)))
    return found.status, str(found.reason), found.message


def test_a_route_that_is_taken() -> None:
    assert told(own()) == ("True", "RouteAccepted", "Gateway gw takes the route.")


@pytest.mark.parametrize("live", [None, own(resolved="False")])
def test_what_will_be_taken(live: Object | None) -> None:
    assert told(live)[:2] == ("Unknown", "Pending")


def test_a_gateway_that_does_not_exist() -> None:
    status, reason, message = told(None, gateway=None)
    assert (status, reason) == ("False", "GatewayNotFound")
    assert message.startswith("There is no Gateway gw in namespace gateways. Create it")


def test_of_a_gateway_that_we_may_not_see_nothing_is_said() -> None:
    found = routed(SERVICE, ENDPOINT, own(), Roads(None, False))
    assert found.reason == "RouteAccepted"


def test_a_listener_that_does_not_admit_the_route() -> None:
    status, reason, message = told(own(accepted="False"))
    assert (status, reason) == ("False", "RouteNotAccepted")
    assert "NotAllowedByListeners: No listener." in message


@pytest.mark.parametrize(
    ("other", "is_taken"),
    [
        (route(), True),
        (route(age=9), False),
        (route(age=9, rules=[rule("/v1/chat/completions")]), True),
        (route(rules=[rule("/")]), False),
        (route(rules=[rule("/v1beta")]), False),
        (route(rules=[{}]), False),
        (route(hostnames=["b.example.com"]), False),
        (route(hostnames=[]), False),
        (route(parentRefs=[{"name": "gw"}]), False),
        (route("chat", NAMESPACE), False),
    ],
)
def test_a_hostname_that_another_route_has(other: Object, is_taken: bool) -> None:
    status, reason, message = told(own(), other)
    assert (reason == "HostnameTaken") is is_taken
    if is_taken:
        assert status == "False"
        assert "a.example.com go to HTTPRoute elsewhere/other" in message


def test_before_there_is_a_route_of_ours_any_other_is_older() -> None:
    assert told(None, route(age=9))[1] == "HostnameTaken"


@pytest.mark.parametrize("leads_to", ["chat", "chat-2"])
def test_routes_that_keep_sessions_are_warned_about(leads_to: str) -> None:
    keeps = {"sessionPersistence": {}, "backendRefs": [{"name": leads_to, "namespace": NAMESPACE}]}
    other = route(hostnames=["b.example.com"], rules=[rule("/", **keeps)])
    status, reason, message = told(own(), other)
    assert (status, reason) == ("True", "SessionPersistence")
    assert message.startswith("HTTPRoute elsewhere/other keeps sessions")


def test_sessions_of_others_do_not_matter() -> None:
    keeps = {"sessionPersistence": {}, "backendRefs": [{"name": "chat-1"}]}
    other = route(hostnames=["b.example.com"], rules=[rule("/", **keeps)])
    assert told(own(), other)[1] == "RouteAccepted"
