"""What the cluster tells of a rollout while it happens, with the times at which it was told.

The API server's own watches tell: of the InferenceService (status), of its HTTPRoute (weights, and
whether the gateway took them) and of its Deployments (which engine arguments make a revision).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from demo import story

Object = dict[str, Any]
FINGERPRINT = "--fingerprint-value"
"""The argument of vLLM's that says what its answers have as system_fingerprint."""

_FROM_WHAT_IS_THERE = {"resource_version": "0", "timeout_seconds": 5}
"""Without a version the API server asks etcd first how far it is, and with an older etcd (3.4) it
waits for an answer in vain: "Too large resource version". The bound lets a watch be ended."""

_JOIN_SECONDS = 30.0
_AGAIN_SECONDS = 0.5
_EARLY_SECONDS = 1.0
"""What the API server tells may be heard of after the gateway goes by it."""
_LATE_SECONDS = 3.0
"""A gateway says that it took a route before it goes by it (1.1 s on a busy machine); so long may
it take after a rollback was decided."""


@dataclass(frozen=True)
class Status:
    """What the InferenceService said from ``at`` (Unix time) on; ``state`` is the canary's, and
    ``evidence_until`` the end of the last window that its guards have counted."""

    at: float
    reason: str
    message: str
    stable: str | None = None
    canary: str | None = None
    state: str | None = None
    step: int = 0
    rejected: str | None = None
    evidence_until: float | None = None


@dataclass(frozen=True)
class Route:
    """Percent by revision from ``at`` on, and whether the gateway had taken them."""

    at: float
    weights: dict[str, int]
    accepted: bool


@dataclass(frozen=True)
class Mark:
    """Something that the test did, or had happen."""

    at: float
    text: str


@dataclass
class Timeline:
    """Changes in the order in which they were seen. ``names`` are the fingerprints by revision."""

    statuses: list[Status] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def see_service(self, item: Object, at: float) -> None:
        seen = status_of(item, at)
        if not self.statuses or _differ(self.statuses[-1], seen):
            self.statuses.append(seen)

    def see_route(self, item: Object, at: float) -> None:
        seen = route_of(item, at)
        if not self.routes or _differ(self.routes[-1], seen):
            self.routes.append(seen)

    def see_deployment(self, item: Object, at: float) -> None:
        """Its name is the revision's."""
        for container in item["spec"]["template"]["spec"]["containers"]:
            args = container.get("args", [])
            if FINGERPRINT in args:
                self.names[item["metadata"]["name"]] = args[args.index(FINGERPRINT) + 1]

    def mark(self, text: str) -> None:
        self.marks.append(Mark(time.time(), text))

    def name(self, revision: str) -> str:
        """Its fingerprint, or its own name where it has none."""
        return self.names.get(revision, revision)

    def weights_of(self, name: str) -> list[tuple[float, int]]:
        """When the gateway had taken a weight for the revision of this fingerprint, and which."""
        taken = [route for route in self.routes if route.accepted]
        return [(route.at, self._share(route, name)) for route in taken]

    def _share(self, route: Route, name: str) -> int:
        return sum(w for revision, w in route.weights.items() if self.name(revision) == name)

    def had_requests(self, name: str, begin: float, end: float) -> bool:
        """Whether the revision had any weight at some time between, as the gateway goes by it."""
        points = self.weights_of(name)
        ends = [*(at for at, _ in points[1:]), end]
        return any(
            weight > 0 and at - _EARLY_SECONDS <= end and begin <= until + _LATE_SECONDS
            for (at, weight), until in zip(points, ends, strict=False)
        )


def status_of(item: Object, at: float) -> Status:
    status = item.get("status") or {}
    ready, canary = story.ready_of(item), status.get("canary") or {}
    rejected = status.get("rejected") or []
    return Status(
        at,
        reason=ready.get("reason", ""),
        message=ready.get("message", ""),
        stable=(status.get("stable") or {}).get("revision"),
        canary=canary.get("revision"),
        state=canary.get("state"),
        step=canary.get("step", 0),
        rejected=rejected[0]["revision"] if rejected else None,
        evidence_until=_until(canary.get("evidence") or []),
    )


def _until(evidence: list[Object]) -> float | None:
    found = [json.loads(told["state"]).get("until") for told in evidence]
    return max((until for until in found if until and until > 0), default=None)


def route_of(item: Object, at: float) -> Route:
    """By the first rule, which is the operator's."""
    refs = item["spec"]["rules"][0].get("backendRefs", [])
    generation = item["metadata"]["generation"]
    accepted = any(
        c["type"] == "Accepted"
        and c["status"] == "True"
        and c.get("observedGeneration") == generation
        for parent in item.get("status", {}).get("parents", [])
        for c in parent.get("conditions", [])
    )
    return Route(at, {ref["name"]: ref.get("weight", 1) for ref in refs}, accepted)


def _differ(before: Any, after: Any) -> bool:
    """In anything but the time."""
    return {**vars(before), "at": 0} != {**vars(after), "at": 0}


class Watcher:
    """Fills a timeline from three watches, each in a thread of its own, while it is open.
    ``latest`` is the service as it was told last, empty before that."""

    def __init__(self, kubeconfig: str, namespace: str, name: str) -> None:
        self.timeline = Timeline()
        self.latest: Object = {}
        self._closed = threading.Event()
        self._api = config.new_client_from_config(kubeconfig)
        lists = _Lists(self._api, namespace, name)
        self._threads = [
            threading.Thread(target=self._watch, args=pair, daemon=True)
            for pair in (
                (lists.services, self._see_service),
                (lists.routes, self.timeline.see_route),
                (lists.deployments, self.timeline.see_deployment),
            )
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        self._api.close()

    def _see_service(self, item: Object, at: float) -> None:
        self.latest = item
        self.timeline.see_service(item, at)

    def _watch(self, listed: Callable[..., Any], see: Callable[[Object, float], None]) -> None:
        """A watch that begins anew tells what is there; what is known already adds nothing."""
        while not self._closed.is_set():
            try:
                for event in watch.Watch().stream(listed, **_FROM_WHAT_IS_THERE):
                    if event["type"] in ("ADDED", "MODIFIED"):
                        see(event["raw_object"], time.time())
            except (ApiException, HTTPError) as error:
                self.timeline.mark(f"watch lost: {error}")
                self._closed.wait(_AGAIN_SECONDS)


@dataclass(frozen=True)
class _Lists:
    """What is watched, as calls that the client's watch can make."""

    api: client.ApiClient
    namespace: str
    name: str

    def services(self, **more: Any) -> Any:
        return self._custom("martlet.dev", "v1alpha1", "inferenceservices", **more)

    def routes(self, **more: Any) -> Any:
        return self._custom("gateway.networking.k8s.io", "v1", "httproutes", **more)

    def deployments(self, **more: Any) -> Any:
        selector = f"martlet.dev/name={self.name}"
        apps = client.AppsV1Api(self.api)
        return apps.list_namespaced_deployment(self.namespace, label_selector=selector, **more)

    def _custom(self, group: str, version: str, plural: str, **more: Any) -> Any:
        custom = client.CustomObjectsApi(self.api)
        selector = f"metadata.name={self.name}"
        return custom.list_namespaced_custom_object(
            group, version, self.namespace, plural, field_selector=selector, **more
        )
