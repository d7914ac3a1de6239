"""Brings the cluster up; doing it twice is quick, and doing it after a kill mends it."""

from __future__ import annotations

from concurrent.futures import Future

from cluster import (
    build,
    cgroups,
    control_plane,
    dns,
    gateway,
    images,
    manifests,
    namespace,
    node,
    packages,
    status,
    storage,
)
from cluster.processes import ProcessError
from cluster.settings import Settings
from cluster.steps import Parallel, parallel, step


def up(settings: Settings) -> None:
    """Everything, each step as soon as what it needs is there; raises StepError."""
    for folder in (settings.logs, settings.run, settings.config):
        folder.mkdir(parents=True, exist_ok=True)
    with parallel() as steps:
        built = steps.start("build the programs", lambda: build.build(settings))
        steps.start("install packages", lambda: packages.install(settings)).result()
        with step("certificates"):
            made = control_plane.certificates(settings)
        with step("namespaces and cable"):
            cgroups.create(settings.name)
            namespace.create(settings)
        runtime = steps.start("containerd", lambda: node.start_containerd(settings))
        built.result()
        with step("etcd and API server"):
            control_plane.start_api(settings, made)
        _start_the_rest(settings, made, steps, runtime)
    with step("everything still runs"):
        _check(settings)


def _start_the_rest(
    settings: Settings,
    made: control_plane.Certificates,
    steps: Parallel,
    runtime: Future[None],
) -> None:
    """All that needs the API server."""
    with step("controllers, scheduler, kube-proxy"):
        control_plane.start_controllers(settings, made)
        manifests.wait_for_api_endpoint(settings)
        node.start_kube_proxy(settings)
    with step("access rules, DNS service, storage class"):
        manifests.apply_file(settings, "addons.yaml")
    steps.start("DNS", lambda: dns.start(settings))
    steps.start("storage", lambda: storage.start(settings))
    runtime.result()
    steps.start("pause image", lambda: images.import_pause(settings))
    steps.start("kubelet and node", lambda: node.start_kubelet(settings, made))
    steps.start("Gateway API and Traefik", lambda: _gateway(settings))


def _check(settings: Settings) -> None:
    """A daemon may end a while after it was started; raises ProcessError with all of them."""
    lines, running = status.status(settings)
    if not running:
        raise ProcessError("\n".join(["not everything runs:", *lines]))


def _gateway(settings: Settings) -> None:
    gateway.install(settings)
    gateway.start(settings)
