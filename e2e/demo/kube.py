"""kubectl and helm against the cluster that the demo and the tests run on."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import existing
from cluster.settings import Settings
from cluster.shell import run

Object = dict[str, Any]


@dataclass(frozen=True)
class Kube:
    """``environment`` holds KUBECONFIG."""

    kubectl: str
    helm: str
    environment: dict[str, str]

    def __call__(self, *words: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns what it printed; CommandError with its last lines."""
        return run([self.kubectl, *words], stdin=stdin, environment=self.environment)

    def apply(self, text: str) -> None:
        self("apply", "-f", "-", stdin=text)

    def get(self, kind: str, name: str, namespace: str) -> Object | None:
        text = self("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        found: Object | None = json.loads(text) if text.strip() else None
        return found

    def list(self, kinds: str, namespace: str, selector: str = "") -> list[Object]:
        words = ["get", kinds, "-n", namespace, "-o", "json"]
        items: list[Object] = json.loads(self(*words, *(["-l", selector] if selector else [])))[
            "items"
        ]
        return items

    def run_helm(self, *words: str) -> str:
        return run([self.helm, *words], environment=self.environment)


def connect(settings: Settings) -> Kube:
    """The embedded cluster, or the one of KUBECONFIG with CLUSTER=existing."""
    kubeconfig = os.environ["KUBECONFIG"] if existing.wanted() else str(settings.kubeconfig)
    return Kube(
        _program(settings, "kubectl"), _program(settings, "helm"), {"KUBECONFIG": kubeconfig}
    )


def _program(settings: Settings, name: str) -> str:
    ours = settings.bin / name
    found = str(ours) if ours.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not there: install it, or run `make cluster`")
    return found


def repository() -> Path:
    return Path(__file__).resolve().parents[2]
