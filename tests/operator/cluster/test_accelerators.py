"""What the nodes say of their accelerators' memory."""

from __future__ import annotations

from typing import Any

import pytest

from martlet_operator.cluster.accelerators import Accelerators, smallest
from martlet_operator.errors import Refused

Object = dict[str, Any]
NVIDIA, LABEL = "nvidia.com/gpu", "nvidia.com/gpu.memory"
AMD, AMD_LABEL = "amd.com/gpu", "amd.com/gpu.vram"


def job(**pod: Any) -> Object:
    return {"kind": "FineTuneJob", "spec": {"pod": pod}}


class Nodes:
    """An API server that only knows nodes."""

    def __init__(self, *nodes: Object, refuses: bool = False) -> None:
        self.nodes, self.refuses = list(nodes), refuses
        self.selectors: list[str | None] = []

    async def list(self, kind: str, namespace: str | None, selector: str | None) -> list[Object]:
        assert (kind, namespace) == ("Node", None)
        self.selectors.append(selector)
        if self.refuses:
            raise Refused(403, "nodes is forbidden")
        return self.nodes


def memory_node(text: str, label: str = LABEL) -> Object:
    return {"metadata": {"labels": {label: text}}}


@pytest.mark.parametrize(
    ("accelerator", "label", "texts", "size"),
    [
        (NVIDIA, LABEL, [], None),
        (NVIDIA, LABEL, ["24576"], 24 << 30),
        (NVIDIA, LABEL, ["81920", "24576"], 24 << 30),
        (NVIDIA, LABEL, ["lots"], None),
        (AMD, AMD_LABEL, ["192G", "64G"], 64 << 30),
        (AMD, AMD_LABEL, ["64", "lots"], None),
    ],
)
def test_the_smallest_counts(
    accelerator: str, label: str, texts: list[str], size: int | None
) -> None:
    assert smallest([memory_node(text, label) for text in texts], accelerator) == size


async def test_each_maker_has_a_label_of_its_own() -> None:
    nodes: Any = Nodes(memory_node("64G", AMD_LABEL))
    assert await Accelerators().memory(nodes, job(accelerator=AMD)) == 64 << 30
    assert nodes.selectors == [AMD_LABEL]


async def test_nodes_that_the_pods_may_go_to_are_asked() -> None:
    nodes: Any = Nodes(memory_node("1024"))
    pod = {"accelerator": "nvidia.com/gpu", "nodeSelector": {"zone": "a"}}
    known = Accelerators()
    for _ in range(3):
        assert await known.memory(nodes, job(**pod)) == 1 << 30
    assert nodes.selectors == [f"{LABEL},zone=a"]


async def test_they_are_asked_again_after_a_while() -> None:
    nodes: Any = Nodes(memory_node("1024"))
    known = Accelerators(period=0)
    for _ in range(2):
        await known.memory(nodes, job(accelerator="nvidia.com/gpu"))
    assert len(nodes.selectors) == 2


@pytest.mark.parametrize(
    "live",
    [
        job(),
        job(accelerator="example.com/npu"),
        {**job(accelerator="nvidia.com/gpu"), "kind": "EvalRun"},
        job(accelerator="nvidia.com/gpu", acceleratorMemory="24Gi"),
    ],
)
async def test_nobody_is_asked_without_need(live: Object) -> None:
    nodes: Any = Nodes()
    assert await Accelerators().memory(nodes, live) is None
    assert nodes.selectors == []


async def test_who_may_not_ask_does_not_know() -> None:
    nodes: Any = Nodes(refuses=True)
    assert await Accelerators().memory(nodes, job(accelerator="nvidia.com/gpu")) is None
