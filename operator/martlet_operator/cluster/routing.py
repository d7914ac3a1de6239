"""The Gateway that a service names, and the routes of others beside its own."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Refused

Object = dict[str, Any]

_PERIOD_SECONDS = 10.0


@dataclass(frozen=True)
class Roads:
    """What is known of the way in. ``gateway`` is None where it does not exist, ``is_known`` False
    where we may not ask. ``routes`` are all HTTPRoutes that we may see."""

    gateway: Object | None = None
    is_known: bool = False
    routes: list[Object] = field(default_factory=list)


class Routing:
    """Asks at most once in ``period`` seconds for the same thing: hundreds of services share a
    Gateway, and the routes are listed over the whole cluster."""

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._known: dict[str, tuple[float, Any]] = {}

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

        async def routes() -> list[Object]:
            try:
                return await client.list("HTTPRoute", None)
            except Refused:
                return await client.list("HTTPRoute", own)

        found, known = await self._once(f"Gateway {namespace}/{name}", gateway)
        return Roads(found, known, await self._once(f"HTTPRoutes for {own}", routes))

    async def _once(self, question: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        asked, answer = self._known.get(question, (-self._period, None))
        if time.monotonic() - asked >= self._period:
            answer = await ask()
            self._known[question] = (time.monotonic(), answer)
        return answer
