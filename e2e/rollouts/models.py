"""The models that rollouts are tried with: the quickstart's base, it anew, and a damaged one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import yaml

from demo import install, road
from demo.kube import Kube, Object

BASE, NEXT, DAMAGED = (f"pvc://models/{name}" for name in ("base", "base-next", "base-damaged"))
SYSTEM = "Answer."
"""The base model answers in a chat whose system's turn says so; see make_base.py."""

Question = tuple[str, str]
"""What is asked, and a word that the answer must hold."""

_SCRIPT = Path(__file__).with_name("make_versions.py")
_NAME = "model-versions"
_SECONDS = 300.0


def prepare(kube: Kube, namespace: str = road.NAMESPACE) -> list[Question]:
    """All three models on the claim ``models``, and questions that the base model can answer.

    Raises RoadError where the Job fails or takes too long.
    """
    if namespace == road.NAMESPACE and not _is_done(kube, "base-model", namespace):
        road.base_model(kube)
    kube("delete", "job", _NAME, "-n", namespace, "--ignore-not-found", "--wait")
    kube.apply(yaml.safe_dump_all(_objects(namespace)))
    _wait(kube, namespace)
    log = kube("logs", f"job/{_NAME}", "-n", namespace)
    return [(question, answer) for question, answer in json.loads(log.splitlines()[-1])]


def _is_done(kube: Kube, job: str, namespace: str) -> bool:
    found = kube.get("job", job, namespace) or {}
    return bool(found.get("status", {}).get("succeeded"))


def _wait(kube: Kube, namespace: str) -> None:
    until = time.monotonic() + _SECONDS
    while not _is_done(kube, _NAME, namespace):
        status = (kube.get("job", _NAME, namespace) or {}).get("status", {})
        failed = any(c["type"] == "Failed" for c in status.get("conditions", []))
        if failed or time.monotonic() > until:
            raise road.RoadError(f"no versions: kubectl -n {namespace} logs job/{_NAME}")
        time.sleep(0.5)


def _objects(namespace: str) -> list[Object]:
    about = {"name": _NAME, "namespace": namespace}
    script = {"make_versions.py": _SCRIPT.read_text()}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": script},
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": about,
            "spec": {"backoffLimit": 0, "template": {"spec": _pod()}},
        },
    ]


def _pod() -> Object:
    """As examples/quickstart/base-model/job.yaml."""
    words = ["--model", "/mnt/pvc/models/base", "--data", "/mnt/pvc/data/test.jsonl"]
    claims = ("models", "data")
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": _NAME,
                "image": f"{install.registry()}/runtime:{install.VERSION}",
                "command": ["python", f"/script/{_SCRIPT.name}", *words],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "script", "mountPath": "/script"},
                    *({"name": name, "mountPath": f"/mnt/pvc/{name}"} for name in claims),
                ],
            }
        ],
        "volumes": [
            {"name": "script", "configMap": {"name": _NAME}},
            *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims),
        ],
    }
