"""Reads all that a decision may look at."""

import asyncio
from typing import Any

from martlet_api import labels
from martlet_api.contract import METRICS_PORT
from martlet_operator.cluster.accelerators import Accelerators
from martlet_operator.cluster.apply import is_finished
from martlet_operator.cluster.client import Client
from martlet_operator.cluster.pages import read_gauges
from martlet_operator.cluster.room import Room
from martlet_operator.cluster.routing import Routing
from martlet_operator.inputs.cache import ENABLED, cache_of
from martlet_operator.inputs.references import Reference, references_of
from martlet_operator.naming import owner_selector
from martlet_operator.pods.states import is_running
from martlet_operator.reconcile.queue import Key
from martlet_operator.reconcile.snapshot import Snapshot

Object = dict[str, Any]

_OWNED_KINDS = {
    "FineTuneJob": ("Job", "ConfigMap", "Service"),
    "EvalRun": ("Job", "ConfigMap"),
    "QuantizedModel": ("Job", "ConfigMap"),
    "InferenceService": ("Job", "ConfigMap", "Deployment", "Service", "HTTPRoute"),
}
_REPORTING_CONTAINERS = ("train", "evaluate", "baseline", "quantize")
"""Those whose page of metrics tells progress."""
_SHARING_KINDS = ("EvalRun",)
"""Kinds whose resources take over what others of their kind found."""
_REFERENCE_DEPTH = 32


async def gather(
    client: Client,
    key: Key,
    resource: Object,
    accelerators: Accelerators,
    room: Room,
    routing: Routing,
) -> Snapshot:
    """The snapshot of one resource, but for what is watched. Reads happen side by side."""
    selector = owner_selector(key.kind, key.name)
    kinds = (*_OWNED_KINDS[key.kind], "Pod")
    lists = await asyncio.gather(*(client.list(kind, key.namespace, selector) for kind in kinds))
    owned = [item for found in lists[:-1] for item in found]
    pods = lists[-1]
    references, pages, warnings, memory, claims, peers = await asyncio.gather(
        _references(client, key, resource),
        _pages(pods),
        _warnings(client, key, owned, pods),
        accelerators.memory(client, resource),
        client.list("PersistentVolumeClaim", key.namespace, f"{labels.CACHE}={ENABLED}"),
        _peers(client, key),
    )
    free = await room.free_pods(client, resource)
    roads = await routing.look(client, resource)
    return Snapshot(
        resource,
        references,
        owned,
        pods,
        pages,
        warnings,
        memory,
        cache_of(claims),
        peers,
        free,
        roads=roads,
    )


async def _peers(client: Client, key: Key) -> list[Object]:
    if key.kind not in _SHARING_KINDS:
        return []
    found = await client.list(key.kind, key.namespace)
    return [item for item in found if item["metadata"]["name"] != key.name]


async def _references(client: Client, key: Key, resource: Object) -> dict[Reference, Object | None]:
    """What the resource names, and what that names, so that a circle can be seen."""
    found: dict[Reference, Object | None] = {(key.kind, key.name): resource}
    wanted = references_of(resource) - set(found)
    for _ in range(_REFERENCE_DEPTH):
        if not wanted:
            break
        names = sorted(wanted)
        objects = await asyncio.gather(*(client.get(k, key.namespace, n) for k, n in names))
        found.update(zip(names, objects, strict=True))
        wanted = set().union(*map(references_of, objects)) - set(found)
    return found


async def _pages(pods: list[Object]) -> dict[str, dict[str, float]]:
    reporting = [
        pod
        for pod in pods
        if any(is_running(pod, name) for name in _REPORTING_CONTAINERS)
        and pod.get("status", {}).get("podIP")
    ]
    pages = await asyncio.gather(
        *(read_gauges(pod["status"]["podIP"], METRICS_PORT) for pod in reporting)
    )
    names = [pod["metadata"]["name"] for pod in reporting]
    return {name: page for name, page in zip(names, pages, strict=True) if page}


async def _warnings(
    client: Client, key: Key, owned: list[Object], pods: list[Object]
) -> dict[str, str]:
    """Why Jobs that should have pods have none; only then Events are asked for."""
    owners = {ref["name"] for pod in pods for ref in pod["metadata"].get("ownerReferences", [])}
    bare = [
        item["metadata"]["name"]
        for item in owned
        if item["kind"] == "Job"
        and item["metadata"]["name"] not in owners
        and not item["spec"].get("suspend")
        and not is_finished(item)
    ]
    return {name: text for name in bare if (text := await _warning(client, key.namespace, name))}


async def _warning(client: Client, namespace: str, name: str) -> str | None:
    fields = f"involvedObject.name={name},type=Warning"
    events = await client.list("Event", namespace, fields=fields)
    newest = sorted(events, key=lambda e: e.get("lastTimestamp") or "")
    return str(newest[-1].get("message", "")) if newest else None
