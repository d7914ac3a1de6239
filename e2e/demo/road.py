"""Walks the quickstart: base model, four kinds of resources, and a watch over them."""

from __future__ import annotations

import time
from collections.abc import Callable

from demo import install, story
from demo.kube import Kube, Object, repository

NAMESPACE = "quickstart"
KINDS = "finetunejobs,evalruns,quantizedmodels,inferenceservices"
QUICKSTART = repository() / "examples" / "quickstart"
HOST = "village.example.com"
MODEL = "village"
QUESTION, ANSWER = "Where does migo live?", "barn"
"""About a villager that the fine-tuning never saw; make_base.py settles the village by its seed."""

_BASE_SECONDS, _ROAD_SECONDS = 900.0, 1500.0


class RoadError(Exception):
    """The road ended before its end; the message says where."""


def clear(kube: Kube) -> None:
    """What an earlier run left. Pods first: a namespace that still has pods is looked at again
    only after half of their grace period."""
    if not kube("get", "namespace", NAMESPACE, "--ignore-not-found"):
        return
    kube("delete", KINDS, "--all", "-n", NAMESPACE, "--cascade=foreground")
    kube("delete", "jobs,pods", "--all", "-n", NAMESPACE)
    kube("delete", "namespace", NAMESPACE, "--wait")


def base_model(kube: Kube) -> None:
    """Trains the base model in the cluster and waits for it."""
    kube("apply", "-f", str(QUICKSTART / "00-namespace.yaml"))
    job = kube("kustomize", str(QUICKSTART / "base-model"))
    kube.apply(job.replace("localhost/martlet/", f"{install.registry()}/"))
    until = time.monotonic() + _BASE_SECONDS
    while time.monotonic() < until:
        found = kube.get("job", "base-model", NAMESPACE)
        status = (found or {}).get("status", {})
        if status.get("succeeded"):
            return
        if any(c["type"] == "Failed" for c in status.get("conditions", [])):
            break
        time.sleep(1)
    raise RoadError(f"no base model: kubectl -n {NAMESPACE} logs job/base-model")


def apply(kube: Kube) -> None:
    """The resources, all at once: each waits for what it needs."""
    for path in sorted(QUICKSTART.glob("*.yaml")):
        kube("apply", "-f", str(path))


def watch(
    kube: Kube, tell: Callable[[str], None], every: Callable[[], None] = lambda: None
) -> list[Object]:
    """Until all resources are Ready; RoadError when one fails or time is up."""
    told: story.Told = {}
    until = time.monotonic() + _ROAD_SECONDS
    while time.monotonic() < until:
        resources = kube.list(KINDS, NAMESPACE)
        for line in story.changes(resources, told):
            tell(line)
        if all(map(story.is_ready, resources)):
            return resources
        if failed := [item for item in resources if story.has_failed(item)]:
            raise RoadError(f"{story.title_of(failed[0])}: {story.describe(failed[0])}")
        every()
        time.sleep(1)
    raise RoadError(f"not done after {_ROAD_SECONDS:.0f} s: {told}")
