"""With requireOwner the API server itself refuses what belongs to no team."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.apiserver import ApiServer
from cluster.settings import from_environment

pytestmark = pytest.mark.apiserver

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0
Kubectl = Callable[..., subprocess.CompletedProcess[str]]
DRY = ("create", "--dry-run=server", "-f", "-")


def service(name: str, labels: dict[str, str]) -> str:
    """A small InferenceService as JSON."""
    return json.dumps(
        {
            "apiVersion": "martlet.dev/v1alpha1",
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": "default", "labels": labels},
            "spec": {"model": {"uri": "pvc://data/model"}},
        }
    )


@pytest.fixture(scope="module")
def kubectl(helm: Kubectl) -> Iterator[Kubectl]:
    """On a server with the policy in force, and `old` from before it, without a label."""
    with ApiServer() as server:
        program = from_environment().bin / "kubectl"

        def run(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
            command = [str(program), f"--kubeconfig={server.kubeconfig}", *words]
            return subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=60, check=False
            )

        run("apply", "--server-side", "-f", str(ROOT / "crds"))
        run("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        assert run("create", "-f", "-", text=service("old", {})).returncode == 0
        policy = helm(
            *("template", "m", "charts/martlet", "--kube-version", "v1.35.0"),
            *("--set", "requireOwner=true", "--show-only", "templates/owner.yaml"),
        )
        applied = run("apply", "-f", "-", text=policy.stdout)
        assert applied.returncode == 0, applied.stderr
        deadline = time.monotonic() + SECONDS
        while run(*DRY, text=service("new", {})).returncode == 0:
            assert time.monotonic() < deadline, "the policy never came into force"
            time.sleep(0.2)
        yield run


@pytest.mark.parametrize("labels", [{}, {"team": "a"}, {"martlet.dev/owner": ""}])
def test_refused_without_an_owner(kubectl: Kubectl, labels: dict[str, str]) -> None:
    done = kubectl(*DRY, text=service("new", labels))
    assert done.returncode != 0
    assert "metadata.labels must hold martlet.dev/owner" in done.stderr


def test_accepted_with_an_owner(kubectl: Kubectl) -> None:
    done = kubectl(*DRY, text=service("new", {"martlet.dev/owner": "team-a"}))
    assert done.returncode == 0, done.stderr


def test_what_was_there_before_can_be_deleted(kubectl: Kubectl) -> None:
    kubectl("delete", "msvc", "old", "--cascade=foreground", "--wait=false")
    free = ("patch", "msvc", "old", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    done = kubectl(*free)
    assert done.returncode == 0, done.stderr
    assert "NotFound" in kubectl("get", "msvc", "old").stderr
