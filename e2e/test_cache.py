"""The namespace's cache on the cluster: several runs of one base bring it once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from demo.kube import Kube, Object, repository
from test_bad_input import hub_beside, pod_beside
from test_training import FILES, job, pods_of, reason, until

pytestmark = pytest.mark.cluster

NAMESPACE = "caching"
JOBS = ("first", "second", "third")

SERVE = """
from pathlib import Path
hub = Hub()
hub.commit({p.name: p.read_bytes() for p in Path('/mnt/pvc/data/model').iterdir()}, 'main')
class Telling(Handler):
    def answer(self):
        print(self.command, self.path, flush=True)
        super().answer()
server = ThreadingHTTPServer(('', 8000), Telling)
server.hub = hub
server.serve_forever()
"""
PAGE = (
    "import urllib.request as r;print(r.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
)


def claim(name: str, **labels: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "100Mi"}},
        },
    }


def hub() -> Iterator[Object]:
    """The hub of the quick tests, in a pod that tells each request."""
    standin = (repository() / "tests/runtime/hub/standin.py").read_text()
    yield from hub_beside(standin + SERVE, NAMESPACE)


@pytest.fixture(scope="module")
def ground(kube: Kube) -> Iterator[Kube]:
    """A restricted namespace with a cache, and a hub that has a small model."""
    kube("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    about = {"name": NAMESPACE, "labels": enforce}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": about}
    files = pod_beside("files", FILES, NAMESPACE)
    cache = claim("cache", **{"martlet.dev/cache": "enabled"})
    kube.apply(yaml.safe_dump_all([space, claim("data"), cache, files]))
    _wait(kube, "files", "jsonpath={.status.phase}=Succeeded")
    kube.apply(yaml.safe_dump_all(hub()))
    _wait(kube, "hub", "condition=Ready")
    yield kube
    kube("delete", "namespace", NAMESPACE, "--wait")


def _wait(kube: Kube, pod: str, what: str) -> None:
    kube("wait", f"--for={what}", f"pod/{pod}", "-n", NAMESPACE, "--timeout=180s")


def test_three_runs_at_once_bring_their_base_once(ground: Kube) -> None:
    model, before = {"uri": "hf://acme/tiny", "secretRef": {"name": "hub"}}, _inputs_told(ground)
    ground.apply(
        yaml.safe_dump_all(job(name, 2, namespace=NAMESPACE, model=model) for name in JOBS)
    )
    for name in JOBS:
        until(ground, name, lambda status: reason(status) == "Succeeded", NAMESPACE)
    asked = ground("logs", "hub", "-n", NAMESPACE).splitlines()
    downloads = [line for line in asked if line.startswith("GET") and "safetensors" in line]
    assert len(downloads) == 1, downloads
    _sidecars_have_ended(ground)
    more = {name: count - before.get(name, 0) for name, count in _inputs_told(ground).items()}
    assert more == {"hit": len(JOBS) - 1, "miss": 1, "bypass": 0}


def _sidecars_have_ended(kube: Kube) -> None:
    """The kubelet ends them once the work is done."""
    for name in JOBS:
        (pod,) = pods_of(kube, name, NAMESPACE)
        _wait(kube, pod["metadata"]["name"], "jsonpath={.status.phase}=Succeeded")
        (pod,) = pods_of(kube, name, NAMESPACE)
        ended = {s["name"]: s["state"] for s in pod["status"]["initContainerStatuses"]}
        assert ended["lease"]["terminated"]["exitCode"] == 0


def _inputs_told(kube: Kube) -> dict[str, float]:
    """What the operator's page says of the namespace's cache, by result."""
    page = kube("exec", "deploy/martlet", "-n", "martlet-system", "--", "python", "-c", PAGE)
    told = [line for line in page.splitlines() if f'namespace="{NAMESPACE}"' in line]
    print("\n".join(told))
    counted = [line for line in told if line.startswith("martlet_cache_inputs_total")]
    return {line.split('result="')[1].split('"')[0]: float(line.split()[-1]) for line in counted}
