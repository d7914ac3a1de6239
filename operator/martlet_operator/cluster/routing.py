"""The Gateway that a service names, and the routes of others beside its own."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Refused

Object = dict[str, Any]

_PERIOD_SECONDS = 10.0


@dataclass(frozen=True)
class Roads:
    """What is known of the way in. ``gateway`` is None where it does not exist, ``is_known`` False
    where we may not ask. ``routes`` are those HTTPRoutes, of all that we may see, that have one of
    the service's hostnames or keep sessions."""

    gateway: Object | None = None
    is_known: bool = False
    routes: list[Object] = field(default_factory=list)


class _Routes:
    """Found by their hostnames: hundreds of services ask every few seconds."""

    def __init__(self, routes: Iterable[Object]) -> None:
        self._sticky: list[Object] = []
        self._by_host: dict[str, list[Object]] = defaultdict(list)
        for item in routes:
            if any("sessionPersistence" in rule for rule in item["spec"].get("rules", [])):
                self._sticky.append(item)
                continue
            for host in item["spec"].get("hostnames", []):
                self._by_host[host].append(item)

    def about(self, hostnames: list[str]) -> list[Object]:
        """A route with two of the hostnames comes twice."""
        return [*self._sticky, *(item for h in hostnames for item in self._by_host.get(h, []))]


class Routing:
    """Asks at most once in ``period`` seconds for the same thing: hundreds of services share a
    Gateway, and the routes are listed over the whole cluster."""

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._known: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def look(self, client: Client, resource: Object) -> Roads:
        """Of an InferenceService with an endpoint; nothing is known of others."""
        endpoint = resource.get("spec", {}).get("endpoint")
        if resource["kind"] != "InferenceService" or not endpoint:
            return Roads()
        own = resource["metadata"]["namespace"]
        named = endpoint["gateway"]
        namespace, name = named.get("namespace") or own, named["name"]

        async def gateway() -> tuple[Object | None, bool]:
            try:
                return await client.get("Gateway", namespace, name), True
            except Refused:
                return None, False

        async def routes() -> _Routes:
            try:
                return _Routes(await client.list("HTTPRoute", None))
            except Refused:
                return _Routes(await client.list("HTTPRoute", own))

        found, known = await self._once(f"Gateway {namespace}/{name}", gateway)
        others: _Routes = await self._once(f"HTTPRoutes for {own}", routes)
        return Roads(found, known, others.about(endpoint.get("hostnames") or []))

    async def _once(self, question: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Who comes while it is asked waits for that answer."""
        async with self._asking[question]:
            asked, answer = self._known.get(question, (-self._period, None))
            if time.monotonic() - asked >= self._period:
                answer = await ask()
                self._known[question] = (time.monotonic(), answer)
            return answer
