"""For how many pods there are accelerators, as the scheduler would count."""

from typing import Any

import pytest

from martlet_operator.cluster.room import Room, fitting
from martlet_operator.errors import Refused

Object = dict[str, Any]
GPU = "nvidia.com/gpu"


def node(name: str, gpus: int, **spec: Any) -> Object:
    labels = spec.pop("labels", {})
    allocatable = {GPU: str(gpus)} if gpus else {}
    metadata = {"name": name, "labels": labels}
    return {"metadata": metadata, "spec": spec, "status": {"allocatable": allocatable}}


def user(where: str, *, main: int = 0, init: int = 0, sidecar: int = 0) -> Object:
    def asking(count: int, **more: Any) -> Object:
        return {"resources": {"limits": {GPU: str(count)}}, **more} if count else {**more}

    first = [asking(init), asking(sidecar, restartPolicy="Always")]
    return {"spec": {"nodeName": where, "initContainers": first, "containers": [asking(main)]}}


ZONE = {"zone": "x"}
TAINT = {"key": "team", "value": "a", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("nodes", "pods", "settings", "count"),
    [
        ([], [], {}, 0),
        ([node("a", 8), node("b", 0)], [], {}, 8),
        ([node("a", 8)], [user("a", main=3), user("b", main=5)], {}, 5),
        ([node("a", 3), node("b", 3)], [], {"acceleratorsPerPod": 2}, 2),
        ([node("a", 8)], [user("a", sidecar=2, main=1)], {}, 5),
        ([node("a", 8)], [user("a", init=4, main=1)], {}, 4),
        ([node("a", 1)], [user("a", main=2)], {}, 0),
        ([node("a", 4, unschedulable=True)], [], {}, 0),
        (
            [node("a", 4, labels={"zone": "x"}), node("b", 2)],
            [],
            {"nodeSelector": {"zone": "x"}},
            4,
        ),
        ([node("a", 4, taints=[{"key": GPU, "effect": "NoSchedule"}])], [], {}, 4),
        ([node("a", 4, taints=[TAINT])], [], {}, 0),
        ([node("a", 4, taints=[TAINT])], [], {"tolerations": [{"operator": "Exists"}]}, 4),
        ([node("a", 4, taints=[TAINT])], [], {"tolerations": [{"key": "team", "value": "a"}]}, 4),
        ([node("a", 4, taints=[TAINT])], [], {"tolerations": [{"key": "team", "value": "b"}]}, 0),
        ([node("a", 4, taints=[{**TAINT, "effect": "PreferNoSchedule"}])], [], {}, 4),
    ],
)
def test_fitting(nodes: list[Object], pods: list[Object], settings: Object, count: int) -> None:
    assert fitting(nodes, pods, {"accelerator": GPU, **settings}) == count


class Cluster:
    def __init__(self, *, refuses: bool = False) -> None:
        self.asked: list[str] = []
        self.refuses = refuses

    async def list(
        self, kind: str, namespace: str | None, selector: str = "", fields: str = ""
    ) -> list[Object]:
        self.asked.append(kind)
        if self.refuses:
            raise Refused(403, "nodes is forbidden")
        return [node("a", 4)] if kind == "Node" else [user("a", main=1)]


def service(status: Object | None = None, **pod: Any) -> Object:
    found = {"stable": {"revision": "a"}} if status is None else status
    return {"kind": "InferenceService", "spec": {"pod": pod}, "status": found}


async def test_it_is_asked_once_in_a_while() -> None:
    cluster: Any = Cluster()
    room = Room()
    for _ in range(3):
        assert await room.free_pods(cluster, service(accelerator=GPU)) == 3
    assert cluster.asked == ["Node", "Pod"]


@pytest.mark.parametrize(
    "live",
    [
        service(),
        service({}, accelerator=GPU),
        service({"stable": {}, "canary": {"revision": "b"}}, accelerator=GPU),
        {**service(accelerator=GPU), "kind": "EvalRun"},
    ],
)
async def test_nobody_is_asked_without_need(live: Object) -> None:
    cluster: Any = Cluster()
    assert await Room().free_pods(cluster, live) is None
    assert cluster.asked == []


async def test_who_may_not_ask_does_not_know() -> None:
    assert await Room().free_pods(Cluster(refuses=True), service(accelerator=GPU)) is None  # type: ignore[arg-type]
