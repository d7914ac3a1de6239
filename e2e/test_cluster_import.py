"""What a pod sees of an imported image, whose layers are links into buildah's store."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import images, node
from cluster.settings import Settings, from_environment
from cluster.shell import run

pytestmark = [pytest.mark.cluster, pytest.mark.images]

BASE = "localhost/martlet/debian:0.1.0"
NAME = "localhost/martlet/import-probe:0.1.0"
# A file changed, a file deleted and a folder deleted and made anew, each in a layer of its own.
CONTAINERFILE = f"""
FROM {BASE}
RUN mkdir -p /probe/folder && echo old > /probe/changed && echo old > /probe/deleted \
 && echo old > /probe/folder/old && chown 10001:10002 /probe/folder && chmod 1750 /probe/folder
RUN echo new > /probe/changed
RUN rm /probe/deleted
RUN rm -r /probe/folder && mkdir /probe/folder && echo new > /probe/folder/new
"""
LOOK = """
import json, os
found = {name: open(f"/probe/{name}").read().strip() for name in ("changed", "folder/new")}
found["names"] = sorted(os.listdir("/probe") + os.listdir("/probe/folder"))
open("/dev/termination-log", "w").write(json.dumps(found))
"""


@pytest.fixture
def settings() -> Settings:
    return from_environment()


@pytest.fixture
def buildah(settings: Settings) -> Iterator[list[str]]:
    root, state = settings.buildah_root, settings.buildah_root.parent / "run"
    words = ["buildah", "--root", str(root), "--runroot", str(state), "--storage-driver", "overlay"]
    yield words
    run([*words, "rmi", NAME])
    run([*node.ctr(settings), "images", "remove", NAME])


def _pod() -> str:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "look", "image": NAME, "imagePullPolicy": "Never",
                 "command": ["python3", "-c", LOOK], "securityContext": security}  # fmt: skip
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False,
            "securityContext": {"runAsUser": 0}, "containers": [container]}  # fmt: skip
    metadata = {"name": "import-probe", "namespace": "default"}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def _message(settings: Settings) -> str:
    """The pod's termination message, once it has ended."""
    path = "jsonpath={.status.containerStatuses[0].state.terminated.message}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if message := run([*node.kubectl(settings), "get", "pod", "import-probe", "-o", path]):
            return message
        time.sleep(0.5)
    raise AssertionError(run([*node.kubectl(settings), "describe", "pod", "import-probe"]))


def test_a_pod_sees_what_the_layers_say(
    settings: Settings, buildah: list[str], tmp_path: Path
) -> None:
    (tmp_path / "Containerfile").write_text(CONTAINERFILE)
    run([*buildah, "build", "--isolation", "chroot", "--layers", "--tag", NAME, tmp_path])

    images.import_images(settings, [NAME])

    run([*node.kubectl(settings), "apply", "-f", "-"], stdin=_pod())
    try:
        found = json.loads(_message(settings))
    finally:
        run([*node.kubectl(settings), "delete", "pod", "import-probe", "--now"])
    assert found == {
        "changed": "new",
        "folder/new": "new",
        "names": ["changed", "folder", "new"],
    }


def test_an_imported_layer_takes_no_space_of_its_own(settings: Settings) -> None:
    images.import_images(settings, [BASE])
    stored = next((settings.buildah_root / "overlay").glob("*/diff/usr/bin/python3.11"))
    snapshots = settings.folder / "containerd" / "io.containerd.snapshotter.v1.overlayfs"
    linked = next((snapshots / "snapshots").glob("*/fs/usr/bin/python3.11"))
    assert stored.samefile(linked)


def test_an_image_that_is_not_in_the_store_is_an_error_that_lists_those_that_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cluster", "import", "localhost/martlet/absent:0.1.0"],
        env={"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/sbin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert BASE in done.stderr
