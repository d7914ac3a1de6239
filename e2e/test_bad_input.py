"""What users get wrong: each ends in a condition that says what to do next, and in no loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
import yaml

from cluster import existing
from cluster.settings import Settings
from cluster.shell import run
from demo import install, story
from demo.kube import Kube, Object

pytestmark = pytest.mark.cluster

NAMESPACE = "bad-input"
WITHIN_SECONDS = 30
DEADLINE_SECONDS = 240
IMAGE = f"{install.registry()}/runtime:{install.VERSION}"

FILES = """
import json, os, struct
root = '/mnt/pvc/data'
os.makedirs(f'{root}/model', exist_ok=True)
shape = {'hidden_size': 32, 'intermediate_size': 64, 'num_hidden_layers': 1, 'vocab_size': 2}
heads = {'num_attention_heads': 2, 'num_key_value_heads': 2}
config = {'model_type': 'qwen2', 'architectures': ['Qwen2ForCausalLM'], **shape, **heads}
json.dump(config, open(f'{root}/model/config.json', 'w'))
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
words = Tokenizer(models.WordLevel({'a': 0, '</s>': 1}, unk_token='a'))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
template = '{% for m in messages %}{{ m["content"] }} </s> {% endfor %}'
PreTrainedTokenizerFast(tokenizer_object=words, eos_token='</s>', pad_token='</s>',
                        chat_template=template).save_pretrained(f'{root}/model')
header = b'{}      '
open(f'{root}/model/model.safetensors', 'wb').write(struct.pack('<Q', len(header)) + header)
row = {'query': 'a', 'response': 'b'}
open(f'{root}/good.jsonl', 'w').write(json.dumps(row) + chr(10))
open(f'{root}/empty.jsonl', 'w').write('')
open(f'{root}/broken.jsonl', 'w').write(json.dumps(row) + chr(10) + '{"query": "a", ' + chr(10))
"""

HUB = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Hub(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.send_header('X-Error-Code', 'RevisionNotFound')
        self.end_headers()
HTTPServer(('', 8000), Hub).serve_forever()
"""
"""A hub that has the repository, and no revision of the name that is asked for."""


@dataclass(frozen=True)
class Case:
    """A spec, the reason that Ready must have, and what its message must say.

    ``terminal``: the run is over and nothing is tried again until the user changes something.
    """

    name: str
    spec: Object
    reason: str
    says: tuple[str, ...]
    terminal: bool = True


def fine_tune(model: Object | None = None, data: str = "good.jsonl", **more: object) -> Object:
    return {
        "model": model or {"uri": "pvc://data/model"},
        "datasets": [{"uri": f"pvc://data/{data}"}],
        "output": {"uri": "pvc://data/out"},
        **more,
    }


CASES = (
    Case(
        "unknown-model",
        fine_tune({"uri": "pvc://data/nothing"}),
        "ModelNotFound",
        ("pvc://data/nothing does not exist", "data holds", "Correct the URI"),
    ),
    Case(
        "empty-dataset",
        fine_tune(data="empty.jsonl"),
        "DatasetEmpty",
        ("pvc://data/empty.jsonl holds no rows", "spec.retry"),
    ),
    Case(
        "broken-line",
        fine_tune(data="broken.jsonl"),
        "DatasetInvalid",
        ("broken.jsonl:2: not JSON", "expected one JSON object a line", "spec.retry"),
    ),
    Case(
        "missing-claim",
        fine_tune({"uri": "pvc://absent/model"}),
        "VolumeClaimNotFound",
        ("PersistentVolumeClaim absent does not exist", "Create it"),
        terminal=False,
    ),
    Case(
        "full-disk",
        fine_tune(output={"uri": "pvc://full"}),
        "DiskFull",
        ("No space is left", "Free or enlarge the volume"),
    ),
    Case(
        "absent-image",
        fine_tune(pod={"image": "localhost/martlet/absent:1"}),
        "ImageCannotBePulled",
        ("localhost/martlet/absent:1", "spec.pod.image"),
        terminal=False,
    ),
    Case(
        "too-little-memory",
        fine_tune(pod={"resources": {"limits": {"memory": "64Mi"}}}),
        "InsufficientMemory",
        ("and the container has 64 MiB: weights", "Or give it more memory"),
    ),
    Case(
        "missing-reference",
        fine_tune({"from": {"kind": "FineTuneJob", "name": "nobody"}}),
        "ReferenceNotFound",
        ("FineTuneJob nobody does not exist", "Create it"),
        terminal=False,
    ),
    Case(
        "circle-a",
        fine_tune({"from": {"kind": "FineTuneJob", "name": "circle-b"}}),
        "CircularReference",
        ("circle-a -> FineTuneJob/circle-b", "uri"),
        terminal=False,
    ),
    Case(
        "circle-b",
        fine_tune({"from": {"kind": "FineTuneJob", "name": "circle-a"}}),
        "CircularReference",
        ("circle-b -> FineTuneJob/circle-a", "uri"),
        terminal=False,
    ),
    Case(
        "unknown-revision",
        fine_tune({"uri": "hf://org/name", "revision": "nope", "secretRef": {"name": "hub"}}),
        "RevisionNotFound",
        ("hf://org/name has no revision nope", "Correct"),
    ),
    Case(
        "hub-down",
        fine_tune({"uri": "hf://nobody/nothing"}, retries={"limit": 0}),
        "SourceUnavailable",
        ("hf://nobody/nothing",),
    ),
    Case(
        "missing-secret",
        fine_tune({"uri": "hf://nobody/nothing", "secretRef": {"name": "absent"}}),
        "SecretNotFound",
        ("Secret absent does not exist", "secretRef"),
        terminal=False,
    ),
)


@pytest.fixture(scope="module")
def applied(kube: Kube, settings: Settings) -> Iterator[float]:
    """All cases at once; yields when they were applied."""
    kube("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    kube.apply(yaml.safe_dump_all(list(_ground())))
    _wait_for_files(kube)
    with _full_volume(kube, settings):
        kube.apply(yaml.safe_dump_all([_resource(case) for case in CASES if _can_run(case)]))
        yield time.monotonic()
        kube("delete", "namespace", NAMESPACE, "--wait")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_condition_says_what_to_do_next(kube: Kube, applied: float, case: Case) -> None:
    if not _can_run(case):
        pytest.skip("a full volume is made on the embedded cluster alone")
    item = _wait(kube, case, applied + DEADLINE_SECONDS)
    ready = story.ready_of(item)
    assert ready["status"] in ("False", "Unknown")
    for text in case.says:
        assert text in ready["message"]
    assert item["status"]["observedGeneration"] == item["metadata"]["generation"]
    late = _seconds_late(kube, case, ready)
    assert late <= WITHIN_SECONDS, f"told {late:.0f} s after it could be seen"


def test_nothing_is_tried_in_a_loop(kube: Kube, applied: float) -> None:
    """After everything has failed once, no pod is made any more and none restarts."""
    before = _pods(kube)
    time.sleep(15)
    assert _pods(kube) == before
    assert all(count == 0 for count in before.values())


def _pods(kube: Kube) -> dict[str, int]:
    return {
        pod["metadata"]["name"]: sum(
            s.get("restartCount", 0)
            for key in ("initContainerStatuses", "containerStatuses")
            for s in pod["status"].get(key, [])
        )
        for pod in kube.list("pods", NAMESPACE)
    }


def _wait(kube: Kube, case: Case, until: float) -> Object:
    while True:
        item = kube.get("finetunejob", case.name, NAMESPACE)
        assert item is not None
        over = (item.get("status") or {}).get("run", {}).get("finishedAt")
        if story.ready_of(item).get("reason") == case.reason and bool(over) == case.terminal:
            return item
        assert time.monotonic() < until, story.describe(item)
        time.sleep(0.5)


def _seconds_late(kube: Kube, case: Case, ready: Object) -> float:
    """Between what could be seen last of the case's pods and the condition's last change."""
    seen = [
        status["state"]["terminated"]["finishedAt"]
        for pod in kube.list("pods", NAMESPACE, f"martlet.dev/name={case.name}")
        for key in ("initContainerStatuses", "containerStatuses")
        for status in pod["status"].get(key, [])
        if status.get("state", {}).get("terminated")
    ]
    if not seen:
        return 0.0
    told = datetime.fromisoformat(ready["lastTransitionTime"])
    return (told - max(map(datetime.fromisoformat, seen))).total_seconds()


def _can_run(case: Case) -> bool:
    return case.name != "full-disk" or not existing.wanted()


def _resource(case: Case) -> Object:
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": case.name, "namespace": NAMESPACE},
        "spec": case.spec,
    }


def _ground() -> Iterator[Object]:
    """A restricted namespace, a volume, and a pod that writes the files."""
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    yield {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": enforce},
    }
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": NAMESPACE},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "100Mi"}},
        },
    }
    yield pod_beside("files", FILES, NAMESPACE)
    yield from hub_beside(HUB, NAMESPACE)


def hub_beside(program: str, namespace: str) -> Iterator[Object]:
    """A pod that plays a hub on port 8000, and the Secret ``hub`` that sends clients to it."""
    yield pod_beside("hub", program, namespace)
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hub", "namespace": namespace},
        "spec": {"selector": {"app": "hub"}, "ports": [{"port": 8000}]},
    }
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hub", "namespace": namespace},
        "stringData": {"HF_ENDPOINT": f"http://hub.{namespace}.svc:8000"},
    }


def pod_beside(name: str, program: str, namespace: str) -> Object:
    """A pod that runs a few lines of Python beside the data volume."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": name,
                    "image": IMAGE,
                    "command": ["python", "-c", program],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "data", "mountPath": "/mnt/pvc/data"}],
                }
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }


def _wait_for_files(kube: Kube) -> None:
    kube(
        *("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/files", "-n", NAMESPACE),
        "--timeout=120s",
    )
    kube("wait", "--for=condition=Ready", "pod/hub", "-n", NAMESPACE, "--timeout=120s")


class _full_volume:  # noqa: N801 - reads as the context that it is
    """A volume of which every byte is taken: a small tmpfs inside the cluster, filled."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube, self._folder = kube, settings.volumes / "full"
        self._settings = settings

    def __enter__(self) -> None:
        if existing.wanted():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = str(self._folder)
        self._inside("mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "tmpfs", folder)
        self._inside("dd", "if=/dev/zero", f"of={folder}/ballast", "bs=4k", "count=15")
        self._kube.apply(yaml.safe_dump_all(_volume(folder)))

    def __exit__(self, *_: object) -> None:
        if existing.wanted():
            return
        self._kube("delete", "pv", "bad-input-full", "--ignore-not-found")
        self._inside("umount", "--lazy", str(self._folder))
        self._folder.rmdir()

    def _inside(self, *words: str) -> None:
        process = (self._settings.run / "namespace.pid").read_text().split()[0]
        run(["nsenter", f"--mount=/proc/{process}/ns/mnt", *words])


def _volume(folder: str) -> list[Object]:
    claim = {"kind": "PersistentVolumeClaim", "name": "full", "namespace": NAMESPACE}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "bad-input-full"},
            "spec": {
                "capacity": {"storage": "64Ki"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {"apiVersion": "v1", **claim},
                "hostPath": {"path": folder},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "full", "namespace": NAMESPACE},
            "spec": {
                "storageClassName": "",
                "volumeName": "bad-input-full",
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "64Ki"}},
            },
        },
    ]
