"""What the nodes say of their accelerators."""

import logging
import re
import time
from typing import Any

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Refused

Object = dict[str, Any]

log = logging.getLogger(__name__)

_MEMORY_LABELS = {
    "nvidia.com/gpu": ("nvidia.com/gpu.memory", re.compile(r"(\d+)"), 1 << 20),
    "amd.com/gpu": ("amd.com/gpu.vram", re.compile(r"(\d+)G"), 1 << 30),
}
"""By accelerator, the label with its memory, how it is written, and its unit in bytes: MiB by
NVIDIA's GPU feature discovery, GiB by the node labeller of AMD's device plugin (``64G``)."""

_KINDS = ("FineTuneJob", "InferenceService")
_PERIOD_SECONDS = 60.0


class Accelerators:
    """Asks nodes at most once in ``period`` seconds about the same ones: a cluster may have
    thousands, and they come and go slowly."""

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._known: dict[str, tuple[float, int | None]] = {}

    async def memory(self, client: Client, resource: Object) -> int | None:
        """Bytes of the smallest accelerator that the pods of a FineTuneJob or an InferenceService
        may get; None where none tells, where the spec does, or where we may not ask."""
        pod = resource.get("spec", {}).get("pod") or {}
        accelerator = pod.get("accelerator") or ""
        known = accelerator in _MEMORY_LABELS and not pod.get("acceleratorMemory")
        if resource["kind"] not in _KINDS or not known:
            return None
        wanted = [f"{key}={value}" for key, value in (pod.get("nodeSelector") or {}).items()]
        selector = ",".join([_MEMORY_LABELS[accelerator][0], *wanted])
        asked, size = self._known.get(selector, (-self._period, None))
        if time.monotonic() - asked >= self._period:
            size = await _ask(client, selector, accelerator)
            self._known[selector] = (time.monotonic(), size)
        return size


async def _ask(client: Client, selector: str, accelerator: str) -> int | None:
    try:
        return smallest(await client.list("Node", None, selector), accelerator)
    except Refused as error:
        log.info("the nodes' accelerators are not known: %s", error)
        return None


def smallest(nodes: list[Object], accelerator: str) -> int | None:
    """The least of what the nodes' labels tell, in bytes."""
    label, written, unit = _MEMORY_LABELS[accelerator]
    told = (node["metadata"].get("labels", {}).get(label, "") for node in nodes)
    sizes = [int(found[1]) * unit for text in told if (found := written.fullmatch(text))]
    return min(sizes, default=None)
