"""For how many more pods of a service there are accelerators."""

import logging
import time
from collections import Counter
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Refused

Object = dict[str, Any]

log = logging.getLogger(__name__)

_PERIOD_SECONDS = 30.0
_LIVE = "status.phase!=Succeeded,status.phase!=Failed"
_KEEPS_OUT = ("NoSchedule", "NoExecute")


class Room:
    """Counts what nodes offer and pods take, at most once in ``period`` seconds for the same
    question: it is asked before a rollout, and lists all pods of the cluster."""

    def __init__(self, period: float = _PERIOD_SECONDS) -> None:
        self._period = period
        self._known: dict[str, tuple[float, int | None]] = {}

    async def free_pods(self, client: Client, resource: Object) -> int | None:
        """Of an InferenceService that serves; None where it needs no accelerators, is on its way
        already, or where we may not ask."""
        pod = resource.get("spec", {}).get("pod") or {}
        status = resource.get("status") or {}
        begins = status.get("stable") and not status.get("canary")
        if resource["kind"] != "InferenceService" or not pod.get("accelerator") or not begins:
            return None
        question = repr(sorted(pod.items()))
        asked, count = self._known.get(question, (-self._period, None))
        if time.monotonic() - asked >= self._period:
            count = await _ask(client, pod)
            self._known[question] = (time.monotonic(), count)
        return count


async def _ask(client: Client, pod: Object) -> int | None:
    try:
        nodes = await client.list("Node", None)
        pods = await client.list("Pod", None, fields=_LIVE)
    except Refused as error:
        log.info("free accelerators are not known: %s", error)
        return None
    return fitting(nodes, pods, pod)


def fitting(nodes: list[Object], pods: list[Object], pod: Object) -> int:
    """How many pods with these settings (``spec.pod``) the nodes could take now, by accelerators
    alone. Those of one pod must be on one node."""
    accelerator, each = pod["accelerator"], pod.get("acceleratorsPerPod") or 1
    taken: Counter[str] = Counter()
    for item in pods:
        taken[item["spec"].get("nodeName", "")] += _asked(item, accelerator)
    return sum(
        max(0, _offered(node, accelerator) - taken[node["metadata"]["name"]]) // each
        for node in nodes
        if _takes(node, pod)
    )


def _offered(node: Object, accelerator: str) -> int:
    return int(parse_quantity(node.get("status", {}).get("allocatable", {}).get(accelerator, "0")))


def _asked(pod: Object, accelerator: str) -> int:
    """As the scheduler counts: containers with the sidecars beside them, or the largest init
    container if that is more."""
    running, init = 0, 0
    for one in pod["spec"].get("initContainers", []):
        if one.get("restartPolicy") == "Always":
            running += _limit(one, accelerator)
        else:
            init = max(init, running + _limit(one, accelerator))
    running += sum(_limit(one, accelerator) for one in pod["spec"].get("containers", []))
    return max(running, init)


def _limit(container: Object, accelerator: str) -> int:
    limits = container.get("resources", {}).get("limits", {})
    return int(parse_quantity(limits.get(accelerator, "0")))


def _takes(node: Object, pod: Object) -> bool:
    """Whether a node is open to the pod by its labels and taints."""
    own = node["metadata"].get("labels", {})
    if any(own.get(key) != value for key, value in (pod.get("nodeSelector") or {}).items()):
        return False
    spec = node.get("spec", {})
    taints = [t for t in spec.get("taints", []) if t.get("effect") in _KEEPS_OUT]
    return not spec.get("unschedulable") and all(_tolerated(taint, pod) for taint in taints)


def _tolerated(taint: Object, pod: Object) -> bool:
    """A taint by the accelerator's own name is tolerated by Kubernetes' admission for those that
    ask for it (ExtendedResourceToleration)."""
    if taint["key"] == pod["accelerator"]:
        return True
    return any(_matches(toleration, taint) for toleration in pod.get("tolerations") or [])


def _matches(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, taint["key"])
    wanted = (taint["key"], taint.get("value", ""))
    return (toleration.get("key"), toleration.get("value") or "") == wanted
