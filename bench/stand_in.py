"""In the place of kubelet, controllers, gateway and engines, for a real API server and operator.

Deployments get pods that are ready at once, with addresses of loopback; routes are taken; a page of
vLLM's is served at each address, whose counters grow as if 10 requests a second were answered.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from aiohttp import web

from martlet_operator.cluster.client import Client

Object = dict[str, Any]

PORT = 8080
_PAGE = Path(__file__).resolve().parents[1] / "tests/operator/engines/pages/vllm-0.32.0.txt"
_RATE = 10.0
_COUNTS = re.compile(r"^(?P<name>\S*(_total|_bucket|_sum|_count)(\{[^}]*\})?) (?P<value>\S+)$")
_FAILED = 'http_requests_total{handler="/v1/chat/completions",method="POST",status="5xx"}'


class Pages:
    """``read`` are the times at which each address was asked, ``failing`` those that answer 500."""

    def __init__(self) -> None:
        self.read: dict[str, list[float]] = defaultdict(list)
        self.failing: set[str] = set()
        self.since: dict[str, float] = {}
        self._lines = _PAGE.read_text().splitlines()

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/metrics", self._page)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "0.0.0.0", PORT).start()
        return runner

    async def _page(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0]
        now = time.time()
        self.read[address].append(now)
        grown = (now - self.since.setdefault(address, now)) * _RATE
        lines = [_grown(line, grown) for line in self._lines]
        if address in self.failing:
            lines.append(f"{_FAILED} {grown}")
        return web.Response(text="\n".join(lines) + "\n")


def _grown(line: str, count: float) -> str:
    """A counter that has grown by as many times its value as would make ``count`` requests."""
    found = _COUNTS.match(line)
    if not found:
        return line
    return f"{found['name']} {float(found['value']) * (1 + count)}"


class World:
    """One pass makes everything as it would be a moment later."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._addresses = itertools.count(1)
        self.pods: dict[str, Object] = {}

    async def run(self, period: float = 1.0) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(period)

    async def turn(self) -> None:
        deployments = await self._client.list("Deployment", None)
        routes = await self._client.list("HTTPRoute", None)
        await asyncio.gather(*map(self._pods, deployments))
        await asyncio.gather(*map(self._take, routes))

    async def _pods(self, live: Object) -> None:
        about, wanted = live["metadata"], live["spec"]["replicas"]
        for number in range(wanted):
            name = f"{about['name']}-{number}"
            if name not in self.pods:
                self.pods[name] = await self._pod(name, live)
        if live.get("status", {}).get("readyReplicas", 0) != wanted:
            status = {"readyReplicas": wanted, "replicas": wanted, "observedGeneration": 1}
            await _status(self._client, live, status)

    async def _pod(self, name: str, live: Object) -> Object:
        template = live["spec"]["template"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": False}
        about = {"name": live["metadata"]["name"], "uid": live["metadata"]["uid"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": live["metadata"]["namespace"],
                "labels": template["metadata"]["labels"],
                "ownerReferences": [{**owner, **about}],
            },
            "spec": {
                "containers": [{"name": "engine", "image": "engine"}],
                "automountServiceAccountToken": False,
            },
        }
        made = await self._client.create(pod)
        n = next(self._addresses)
        address = f"127.{1 + n // 62500}.{n // 250 % 250 + 1}.{n % 250 + 1}"
        container = {
            "name": "engine",
            "ready": True,
            "restartCount": 0,
            "image": "engine",
            "imageID": "engine",
            "state": {"running": {}},
        }
        condition = {"type": "Ready", "status": "True"}
        status = {"phase": "Running", "podIP": address, "containerStatuses": [container]}
        await _status(self._client, {**made, "kind": "Pod"}, {**status, "conditions": [condition]})
        return {**made, "address": address}

    async def _take(self, live: Object) -> None:
        generation = live["metadata"]["generation"]
        if _taken(live) == generation:
            return
        told = {"status": "True", "reason": "Done", "message": "", "observedGeneration": generation}
        told["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        conditions = [{"type": kind, **told} for kind in ("Accepted", "ResolvedRefs")]
        parent = {
            "parentRef": live["spec"]["parentRefs"][0],
            "controllerName": "example.com/stand-in",
            "conditions": conditions,
        }
        await _status(self._client, live, {"parents": [parent]})


def _taken(route: Object) -> int | None:
    parents = route.get("status", {}).get("parents", [])
    return next((c["observedGeneration"] for p in parents for c in p["conditions"]), None)


async def _status(client: Client, live: Object, status: Object) -> None:
    about = live["metadata"]
    kind = f"{live['kind']}"
    path = _PATHS[kind].format(**about)
    await client.request(
        "PATCH",
        f"{path}/status",
        body={"status": status},
        content_type="application/merge-patch+json",
    )


_PATHS = {
    "Pod": "/api/v1/namespaces/{namespace}/pods/{name}",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{name}",
}
