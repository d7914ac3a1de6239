"""A second, small cluster beside the first: up, used, killed half-way, down, and nothing left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import cgroups, down, processes, status
from cluster.settings import Settings, from_environment

pytestmark = pytest.mark.cluster

E2E = Path(__file__).resolve().parent
# The programs may have to be built first.
UP_SECONDS = 1500
# One pod that writes to a volume and says so; every image that it takes is the pause image.
POD = """
apiVersion: v1
kind: Namespace
metadata: {name: probe, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: probe}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: probe}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: pause
      image: localhost/martlet/pause:1
      imagePullPolicy: Never
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """Another name, other addresses and another folder; the programs that are built already."""
    parent = Path(tempfile.mkdtemp(prefix="martlet-"))
    given = {
        **os.environ,
        "MARTLET_CLUSTER_NAME": "second",
        "MARTLET_CLUSTER_DIR": str(parent / "cluster"),
        "MARTLET_CLUSTER_CIDR": "198.18.64.0/18",
        "MARTLET_CLUSTER_BIN": str(from_environment().bin),
        "PYTHONPATH": str(E2E),
        "CLUSTER": "",
    }
    yield given
    _command("down", given)
    shutil.rmtree(parent)


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return from_environment(environment)


def _command(name: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cluster", name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=UP_SECONDS,
        check=False,
    )


def _succeed(name: str, environment: dict[str, str]) -> None:
    done = _command(name, environment)
    assert done.returncode == 0, done.stderr


def _killed_up(environment: dict[str, str], lines: int) -> None:
    """Start `up` and kill it with SIGKILL when it has printed this many lines."""
    up = subprocess.Popen(
        [sys.executable, "-m", "cluster", "up"],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert up.stderr is not None
    for _ in range(lines):
        assert up.stderr.readline(), "`up` was over before it could be killed"
    up.kill()
    up.wait()


def _kubectl(settings: Settings, *words: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        [settings.bin / "kubectl", f"--kubeconfig={settings.kubeconfig}",
         f"--cache-dir={settings.folder / 'kubectl-cache'}", *words],
        input=stdin, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def _machine() -> set[str]:
    """What `up` may add to the machine and `down` must take, read without the cluster's code.

    Building images beside the test mounts and unmounts buildah's store: that is not ours.
    """
    folders = ("/run", "/var/lib", "/var/log", "/var/lib/cni", "/run/netns", "/usr/sbin")
    kernel = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "vm/panic_on_oom")
    found = {f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines()}
    found |= {f"link {link.name}" for link in Path("/sys/class/net").iterdir()}
    found |= {f"route {line}" for line in _output("ip", "route").splitlines()}
    found |= {f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob("*/*/")}
    found |= {f"file {path}" for name in folders for path in Path(name).glob("*")}
    found |= {f"kernel {name}={Path('/proc/sys', name).read_text()}" for name in kernel}
    found |= {f"packet filter {line}" for line in _output("nft", "list", "ruleset").splitlines()}
    return {one for one in found if "buildah" not in one}


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def _processes_of(settings: Settings) -> list[str]:
    """Command lines that name the cluster's folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(settings.folder) in words:
            found.append(words)
    return found


def _all_run(settings: Settings) -> None:
    lines, running = status.status(settings)
    assert running, "\n".join(lines)


def _nothing_left(settings: Settings, before: set[str]) -> None:
    assert _processes_of(settings) == []
    assert not settings.folder.exists()
    assert _machine() - before == set()


def test_up_and_down_leave_nothing(environment: dict[str, str], settings: Settings) -> None:
    before = _machine()
    _succeed("up", environment)
    _kubectl(settings, "apply", "-f", "-", stdin=POD)
    _kubectl(settings, "wait", "-n", "probe", "--for=condition=Ready", "pod/probe",
             "--timeout=120s")  # fmt: skip
    volumes = json.loads(_kubectl(settings, "get", "pv", "-o", "json"))["items"]
    assert [Path(one["spec"]["local"]["path"]).parent for one in volumes] == [settings.volumes]
    assert cgroups.processes(settings.name, "kubepods")
    assert down.leftovers(settings), "the check for leftovers sees nothing of a running cluster"

    _succeed("down", environment)

    assert down.leftovers(settings) == []
    _nothing_left(settings, before)


def test_a_deleted_claim_takes_its_directory_along(
    environment: dict[str, str], settings: Settings
) -> None:
    _succeed("up", environment)
    _kubectl(settings, "apply", "-f", "-", stdin=POD)
    _kubectl(settings, "wait", "-n", "probe", "--for=condition=Ready", "pod/probe",
             "--timeout=120s")  # fmt: skip
    assert len(list(settings.volumes.iterdir())) == 1
    _kubectl(settings, "delete", "namespace", "probe", "--timeout=120s")
    deadline = time.monotonic() + 30
    while list(settings.volumes.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert list(settings.volumes.iterdir()) == []


@pytest.mark.parametrize("lines", [1, 4, 8, 11])
def test_up_mends_what_a_killed_up_left(
    environment: dict[str, str], settings: Settings, lines: int
) -> None:
    before = _machine()
    _killed_up(environment, lines)
    _succeed("up", environment)
    _all_run(settings)
    _kubectl(settings, "wait", "--for=condition=Ready", "node/node", "--timeout=10s")
    _succeed("down", environment)
    _nothing_left(settings, before)


@pytest.mark.parametrize("lines", [0, 3, 5, 9])
def test_down_clears_what_a_killed_up_left(
    environment: dict[str, str], settings: Settings, lines: int
) -> None:
    before = _machine()
    _killed_up(environment, lines)
    _succeed("down", environment)
    _nothing_left(settings, before)


@pytest.mark.parametrize(
    "daemons",
    [("etcd", "kube-apiserver", "containerd", "kubelet", "traefik"), ("namespace",)],
    ids=["programs", "namespaces"],
)
def test_up_restarts_what_died(
    environment: dict[str, str], settings: Settings, daemons: tuple[str, ...]
) -> None:
    _succeed("up", environment)
    _kubectl(settings, "apply", "-f", "-", stdin=POD)
    for daemon in daemons:
        process = processes.running(settings, daemon)
        assert process is not None
        os.kill(process, 9)
    _succeed("up", environment)
    _all_run(settings)
    _kubectl(settings, "wait", "-n", "probe", "--for=condition=Ready", "pod/probe",
             "--timeout=120s")  # fmt: skip


def test_down_of_no_cluster_does_nothing(environment: dict[str, str], settings: Settings) -> None:
    before = _machine()
    _succeed("down", environment)
    _nothing_left(settings, before)
