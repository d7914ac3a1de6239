"""CLUSTER=existing: somebody else's cluster, which is only looked at."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from cluster.settings import Settings
from cluster.shell import CommandError, run

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
ROUTES = "httproutes.gateway.networking.k8s.io"


class ExistingError(Exception):
    """The cluster lacks something; the message says what to install."""


def wanted() -> bool:
    return os.environ.get("CLUSTER") == "existing"


def check(settings: Settings) -> str:
    """One line about the cluster of $KUBECONFIG; raises ExistingError."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    if not kubeconfig or not Path(kubeconfig).exists():
        raise ExistingError(
            f"CLUSTER=existing needs KUBECONFIG to name a file; it is {kubeconfig!r}"
        )
    kubectl = _kubectl(settings)
    try:
        version = json.loads(run([kubectl, "get", "--raw", "/version"]))["gitVersion"]
    except CommandError as error:
        raise ExistingError(f"the API server of {kubeconfig} does not answer: {error}") from error
    if not _lists(kubectl, f"crd/{ROUTES}"):
        raise ExistingError(
            f"the cluster has no {ROUTES}: install the Gateway API's standard CRDs and a "
            "controller for them (Traefik, Envoy Gateway, Istio...)"
        )
    classes = [one["metadata"] for one in _lists(kubectl, "storageclass")]
    if not any(one.get("annotations", {}).get(DEFAULT_CLASS) == "true" for one in classes):
        raise ExistingError(
            "the cluster has no default StorageClass: annotate one with "
            f"{DEFAULT_CLASS}=true (classes: {', '.join(one['name'] for one in classes) or 'none'})"
        )
    return f"existing cluster {version}: API, Gateway API and default StorageClass are there"


def _kubectl(settings: Settings) -> str:
    ours = settings.bin / "kubectl"
    found = str(ours) if ours.exists() else shutil.which("kubectl")
    if found is None:
        raise ExistingError("there is no kubectl: install it, or run `python -m cluster build`")
    return found


def _lists(kubectl: str, what: str) -> list[dict[str, Any]]:
    content = json.loads(
        run([kubectl, "get", what, "-o", "json", "--ignore-not-found"]) or '{"items": []}'
    )
    items: list[dict[str, Any]] = content.get("items", [content])
    return items
