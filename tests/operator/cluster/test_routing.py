"""What is asked of the API server about the way in, and how often."""

import asyncio
from typing import Any

from fake_api import FakeClient
from operator_builders import NAMESPACE, resource

from martlet_operator.cluster.routing import Roads, Routing
from martlet_operator.errors import Refused

Object = dict[str, Any]
ENDPOINT = {"gateway": {"name": "gw", "namespace": "gateways"}, "hostnames": ["a.example.com"]}
SERVICE = resource("InferenceService", "chat", endpoint=ENDPOINT)


def thing(kind: str, name: str, namespace: str, **spec: Any) -> Object:
    about = {"name": name, "namespace": namespace}
    version = "gateway.networking.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": about, "spec": spec}


def route(name: str, namespace: str, *hostnames: str, **rule: Any) -> Object:
    return thing("HTTPRoute", name, namespace, hostnames=list(hostnames), rules=[rule])


class Counting(FakeClient):
    """Counts what is read; refuses what is outside of the namespaces in ``only``."""

    def __init__(self, only: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.asked: list[tuple[str, str | None]] = []
        self.only = only

    def _check(self, kind: str, namespace: str | None) -> None:
        self.asked.append((kind, namespace))
        if self.only and namespace not in self.only:
            raise Refused(403, "forbidden")

    async def get(self, kind: str, namespace: str, name: str) -> Object | None:
        self._check(kind, namespace)
        return await super().get(kind, namespace, name)

    async def list(self, kind: str, namespace: str | None, *rest: Any) -> list[Object]:
        self._check(kind, namespace)
        return await super().list(kind, namespace, *rest)


def client(only: tuple[str, ...] = ()) -> Counting:
    made = Counting(only)
    made.put(thing("Gateway", "gw", "gateways"))
    made.put(route("a", NAMESPACE, "a.example.com"))
    made.put(route("b", "elsewhere", "b.example.com", "a.example.com"))
    return made


def names(roads: Roads) -> list[str]:
    return sorted(item["metadata"]["name"] for item in roads.routes)


async def test_all_routes_and_the_gateway_are_seen() -> None:
    roads = await Routing().look(client(), SERVICE)
    assert roads.gateway is not None
    assert (roads.is_known, names(roads)) == (True, ["a", "b"])


async def test_within_some_namespaces_alone_the_rest_is_not_known() -> None:
    roads = await Routing().look(client(only=(NAMESPACE,)), SERVICE)
    assert (roads.gateway, roads.is_known, names(roads)) == (None, False, ["a"])


async def test_of_all_routes_those_count_that_have_its_hostname_or_keep_sessions() -> None:
    asked = client()
    asked.put(route("other", NAMESPACE, "other.example.com"))
    asked.put(route("sticky", NAMESPACE, "other.example.com", sessionPersistence={}))
    assert names(await Routing().look(asked, SERVICE)) == ["a", "b", "sticky"]


async def test_who_comes_while_it_is_asked_waits_for_that_answer() -> None:
    asked, routing = client(), Routing(period=60)
    both = await asyncio.gather(*(routing.look(asked, SERVICE) for _ in range(2)))
    assert both[0] == both[1]
    assert len(asked.asked) == 2


async def test_services_share_the_answers_for_a_while() -> None:
    asked, routing = client(), Routing(period=60)
    for name in ("one", "two", "three"):
        await routing.look(asked, resource("InferenceService", name, endpoint=ENDPOINT))
    assert len(asked.asked) == 2
    await Routing(period=0).look(asked, SERVICE)
    assert len(asked.asked) == 4


async def test_nothing_is_asked_without_an_endpoint() -> None:
    asked = client()
    assert await Routing().look(asked, resource("InferenceService", "chat")) == Roads()
    assert await Routing().look(asked, resource("EvalRun", "run")) == Roads()
    assert asked.asked == []
