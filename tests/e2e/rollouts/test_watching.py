"""The watches against a real API server: they tell what is there, and what changes, soon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from rollout_builders import Object

import test_rollouts
from cluster.apiserver import ApiServer
from cluster.settings import from_environment
from demo.kube import Kube, repository
from rollouts.service import NAME, Version, manifest
from rollouts.timeline import Timeline, Watcher

pytestmark = pytest.mark.apiserver

NAMESPACE = "default"
SOON_SECONDS = 10.0
GROUP = "gateway.networking.k8s.io"
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "subresources": {"status": {}},
    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
}
ROUTES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": f"httproutes.{GROUP}",
        "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
    },
    "spec": {
        "group": GROUP,
        "names": {"kind": "HTTPRoute", "plural": "httproutes"},
        "scope": "Namespaced",
        "versions": [VERSION],
    },
}


@pytest.fixture(scope="module")
def kube() -> Iterator[Kube]:
    with ApiServer() as server:
        kubectl = str(from_environment().bin / "kubectl")
        found = Kube(kubectl, "helm", {"KUBECONFIG": str(server.kubeconfig)})
        found("apply", "--server-side", "-f", str(repository() / "crds"))
        found.apply(json.dumps(ROUTES))
        found("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        found.apply(json.dumps(manifest(Version("green"), test_rollouts.CANARY, NAMESPACE)))
        found.apply(json.dumps(route(100, 0)))
        found.apply(json.dumps(deployment("r-green", "green")))
        yield found


def route(blue: int, green: int) -> Object:
    refs = [{"name": "r-blue", "weight": blue}, {"name": "r-green", "weight": green}]
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"rules": [{"backendRefs": refs}]},
    }


def deployment(revision: str, fingerprint: str) -> Object:
    labels = {"martlet.dev/name": NAME, "martlet.dev/revision": revision}
    args = ["--fingerprint-value", fingerprint]
    container = {"name": "engine", "image": "engine", "args": args}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": revision, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def soon(holds: Callable[[], bool], timeline: Timeline) -> None:
    until = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < until, timeline
        time.sleep(0.05)


def test_what_is_there_and_what_changes_is_told_soon(kube: Kube) -> None:
    with Watcher(kube.environment["KUBECONFIG"], NAMESPACE, NAME) as watcher:
        timeline = watcher.timeline
        soon(lambda: bool(timeline.statuses and timeline.routes and timeline.names), timeline)
        assert timeline.names == {"r-green": "green"}
        (guard,) = watcher.latest["spec"]["canary"]["guards"]
        assert guard.items() >= test_rollouts.ERRORS.items()
        kube.apply(json.dumps(route(75, 25)))
        generation = kube("get", "httproute", NAME, "-o", "jsonpath={.metadata.generation}")
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": int(generation)}
        _tell(kube, "httproute", {"parents": [{"conditions": [accepted]}]})
        canary = {
            "revision": "r-green",
            "digest": f"sha256:{'0' * 64}",
            "state": "Stepping",
            "step": 1,
            "startedAt": "2026-11-25T12:00:00Z",
        }
        _tell(kube, "inferenceservice", {"canary": canary})
        soon(lambda: timeline.weights_of("green")[-1:] == [(timeline.routes[-1].at, 25)], timeline)
        soon(lambda: timeline.statuses[-1].state == "Stepping", timeline)
        # Beyond the time that a watch lasts: the next one tells nothing twice.
        count = len(timeline.statuses), len(timeline.routes)
        time.sleep(6)
    assert (len(timeline.statuses), len(timeline.routes)) == count
    assert timeline.marks == [], "a watch was lost"


def _tell(kube: Kube, kind: str, status: Object) -> None:
    patch = json.dumps({"status": status})
    kube("patch", kind, NAME, "--subresource=status", "--type=merge", "-p", patch)
