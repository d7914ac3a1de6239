"""The `scale` subresource, and whose `spec.replicas` is when an autoscaler and others write it."""

import json
from typing import Any

import pytest
from manifests import manifest

pytestmark = pytest.mark.apiserver

SELECTOR = "martlet.dev/kind=InferenceService,martlet.dev/name=counted,martlet.dev/revision"
SERVER_SIDE = ("--server-side", "--field-manager=argocd")
CLIENT_SIDE = ()


class Service:
    """One on the API server, applied in one of the two ways."""

    def __init__(self, kubectl: Any, name: str, way: tuple[str, ...]) -> None:
        self._kubectl, self._name, self._way = kubectl, name, way

    def apply(self, **spec: Any) -> int | str:
        """The replicas that are asked for then, or why the API server would not."""
        made = manifest("InferenceService")
        made["metadata"] = {"name": self._name, "namespace": "default"}
        made["spec"].update(spec)
        done = self._kubectl("apply", *self._way, "-f", "-", manifest=made)
        return self.replicas if done.returncode == 0 else str(done.stderr)

    def scale(self, count: int) -> None:
        """As an autoscaler does."""
        done = self._kubectl("scale", "msvc", self._name, f"--replicas={count}")
        assert done.returncode == 0, done.stderr

    @property
    def replicas(self) -> int:
        found = self._kubectl("get", "msvc", self._name, "-o", "jsonpath={.spec.replicas}")
        return int(found.stdout)


def test_an_autoscaler_finds_the_count_and_the_pods(kubectl: Any) -> None:
    assert Service(kubectl, "counted", SERVER_SIDE).apply() == 1
    status = json.dumps({"status": {"replicas": 2, "selector": SELECTOR}})
    patch = ("patch", "msvc", "counted", "--subresource=status", "--type=merge", "-p", status)
    assert kubectl(*patch).returncode == 0
    told = json.loads(kubectl("get", "msvc", "counted", "--subresource=scale", "-o", "json").stdout)
    assert (told["kind"], told["spec"]) == ("Scale", {"replicas": 1})
    assert told["status"] == {"replicas": 2, "selector": SELECTOR}


@pytest.mark.parametrize("way", [SERVER_SIDE, CLIENT_SIDE], ids=["server-side", "client-side"])
def test_what_is_left_out_stays_as_the_autoscaler_wrote_it(
    kubectl: Any, way: tuple[str, ...]
) -> None:
    """The default is for the first time alone."""
    service = Service(kubectl, f"left-out-{len(way)}", way)
    assert service.apply() == 1
    service.scale(3)
    assert service.apply(retry="again") == 3


def test_what_is_applied_stands_against_the_autoscaler(kubectl: Any) -> None:
    server, client = (
        Service(kubectl, f"applied-{len(way)}", way) for way in (SERVER_SIDE, CLIENT_SIDE)
    )
    for service in (server, client):
        assert service.apply(replicas=2) == 2
        service.scale(3)
    assert "conflict" in str(server.apply(replicas=2))
    assert client.apply(replicas=2) == 2


def test_handing_it_over(kubectl: Any) -> None:
    """Server-side the autoscaler's number stays; client-side it falls back to the default once."""
    server, client = (
        Service(kubectl, f"handed-{len(way)}", way) for way in (SERVER_SIDE, CLIENT_SIDE)
    )
    for service in (server, client):
        assert service.apply(replicas=2) == 2
        service.scale(3)
    assert (server.apply(), client.apply()) == (3, 1)
    client.scale(3)
    assert client.apply() == 3
