"""What the nodes say of their accelerators."""

import logging
import time
from typing import Any

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Refused

Object = dict[str, Any]

log = logging.getLogger(__name__)

_MEMORY_LABELS = {"nvidia.com/gpu": "nvidia.com/gpu.memory"}
"""By accelerator, the label with its memory in MiB, as GPU feature discovery writes it."""

_PERIOD_SECONDS = 60.0


class Accelerators:
    """Asks nodes at most once in ``period`` seconds about the same ones: a cluster may have
    thousands, and they come and go slowly."""

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._known: dict[str, tuple[float, int | None]] = {}

    async def memory(self, client: Client, resource: Object) -> int | None:
        """Bytes of the smallest accelerator that a FineTuneJob's pods may get; None where none
        tells, where the spec does, or where we may not ask."""
        pod = resource.get("spec", {}).get("pod") or {}
        label = _MEMORY_LABELS.get(pod.get("accelerator") or "")
        if resource["kind"] != "FineTuneJob" or label is None or pod.get("acceleratorMemory"):
            return None
        wanted = [f"{key}={value}" for key, value in (pod.get("nodeSelector") or {}).items()]
        selector = ",".join([label, *wanted])
        asked, size = self._known.get(selector, (-self._period, None))
        if time.monotonic() - asked >= self._period:
            size = await _ask(client, selector, label)
            self._known[selector] = (time.monotonic(), size)
        return size


async def _ask(client: Client, selector: str, label: str) -> int | None:
    try:
        return smallest(await client.list("Node", None, selector), label)
    except Refused as error:
        log.info("the nodes' accelerators are not known: %s", error)
        return None


def smallest(nodes: list[Object], label: str) -> int | None:
    """The least of the nodes' labels, in bytes."""
    told = [node["metadata"].get("labels", {}).get(label, "") for node in nodes]
    sizes = [int(text) << 20 for text in told if text.isdigit()]
    return min(sizes, default=None)
