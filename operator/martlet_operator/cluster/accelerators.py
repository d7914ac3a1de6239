"""What the nodes say of their accelerators."""

import logging
from typing import Any

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Refused

Object = dict[str, Any]

log = logging.getLogger(__name__)

_MEMORY_LABELS = {"nvidia.com/gpu": "nvidia.com/gpu.memory"}
"""By accelerator, the label with its memory in MiB, as GPU feature discovery writes it."""


async def accelerator_memory(client: Client, resource: Object) -> int | None:
    """Bytes of the smallest accelerator that a FineTuneJob's pods may get. Nodes are asked only
    while an estimate is still to be made; None where none tells, or where we may not ask."""
    pod = resource.get("spec", {}).get("pod") or {}
    label = _MEMORY_LABELS.get(pod.get("accelerator") or "")
    estimated = (resource.get("status") or {}).get("estimate")
    if resource["kind"] != "FineTuneJob" or label is None or estimated:
        return None
    wanted = [f"{key}={value}" for key, value in (pod.get("nodeSelector") or {}).items()]
    try:
        nodes = await client.list("Node", None, ",".join([label, *wanted]))
    except Refused as error:
        log.info("the nodes' accelerators are not known: %s", error)
        return None
    return smallest(nodes, label)


def smallest(nodes: list[Object], label: str) -> int | None:
    """The least of the nodes' labels, in bytes."""
    told = [node["metadata"].get("labels", {}).get(label, "") for node in nodes]
    sizes = [int(text) << 20 for text in told if text.isdigit()]
    return min(sizes, default=None)
