"""Brings the ground under the demo: a cluster, the images in it, and the operator."""

from __future__ import annotations

import os
import sys

from cluster import build, existing, images, packages
from cluster.settings import Settings, from_environment
from cluster.shell import logged
from cluster.steps import parallel, step
from cluster.up import up
from demo.kube import Kube, connect, repository

IMAGES = ("operator", "runtime", "vllm-cpu")
NAMESPACE = "martlet-system"
RELEASE = "martlet"
OPERATOR = "app.kubernetes.io/component=operator"
"""The label of its pods."""
VERSION = "0.1.0"
_LOCAL = "localhost/martlet"


def registry() -> str:
    """Where the images come from on a cluster that is not ours."""
    return os.environ.get("REGISTRY", _LOCAL)


def prepare(settings: Settings) -> Kube:
    """The cluster with all images; on an existing one the images must be in REGISTRY already."""
    if existing.wanted():
        print(existing.check(settings))
    else:
        _embedded(settings)
    return connect(settings)


def _embedded(settings: Settings) -> None:
    """Compiling keeps the processors busy, and the images the disk: so both at once."""
    with step("install Debian's packages"):
        packages.install(settings)
    with parallel() as steps:
        steps.start("compile Kubernetes and its gateway", lambda: build.build(settings))
        steps.start("build the images", lambda: _images(settings))
    up(settings)
    for name in IMAGES:
        with step(f"import {name}"):
            images.import_images(settings, [f"{_LOCAL}/{name}:{VERSION}"])


def _images(settings: Settings) -> None:
    logged(
        [sys.executable, repository() / "images" / "build.py", *IMAGES],
        settings.logs / "images.log",
        folder=repository(),
    )


def operator(kube: Kube, *options: str) -> None:
    """Installs the chart, or brings it up to date, and waits for the operator."""
    chart = repository() / "charts" / "martlet"
    kube("apply", "--server-side", "--force-conflicts", "-f", str(chart / "crds"))
    namespace = kube("create", "namespace", NAMESPACE, "--dry-run=client", "-o", "yaml")
    kube.apply(namespace)
    kube("label", "--overwrite", "namespace", NAMESPACE, f"{_ENFORCE}=restricted")
    kube.run_helm(
        *("upgrade", "--install", RELEASE, str(chart), "--namespace", NAMESPACE),
        *("--set", f"images.registry={registry()}", *options),
        *("--wait", "--timeout", "180s"),
    )


_ENFORCE = "pod-security.kubernetes.io/enforce"


if __name__ == "__main__":
    operator(prepare(from_environment()))
