"""Installs what the cluster needs from Debian, and only what is missing.

Debian starts and enables a service with its package. The cluster runs containerd and
etcd itself, so the starts are refused while installing and what was enabled is disabled.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.settings import Settings
from cluster.shell import logged, run

# What must be there after the install -> the package that brings it.
NEEDED = {
    "/usr/bin/containerd": "containerd",
    "/usr/bin/ctr": "containerd",
    "/usr/sbin/runc": "runc",
    "/usr/bin/etcd": "etcd-server",
    "/usr/sbin/nft": "nftables",
    "/usr/sbin/ip": "iproute2",
    "/usr/bin/nsenter": "util-linux",
    "/usr/bin/mount": "mount",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/bin/buildah": "buildah",
    "/usr/sbin/debootstrap": "debootstrap",
}
API_SERVER_NEEDED = {"/usr/bin/etcd": "etcd-server"}
PROMETHEUS_NEEDED = {"/usr/bin/promtool": "prometheus", "/usr/bin/prometheus": "prometheus"}
SERVICES = {
    "containerd": "containerd",
    "etcd-server": "etcd",
    "nftables": "nftables",
    "prometheus": "prometheus",
}
POLICY = Path("/usr/sbin/policy-rc.d")
MARK = "# written by martlet's e2e/cluster while it installs packages\n"


def missing(needed: dict[str, str] = NEEDED) -> list[str]:
    """The packages of which a needed file is not there, sorted."""
    return sorted({package for path, package in needed.items() if not Path(path).exists()})


def install(settings: Settings, needed: dict[str, str] = NEEDED) -> None:
    """Install what is missing; raises CommandError with the log's name."""
    packages = missing(needed)
    if not packages:
        return
    log = settings.logs / "apt.log"
    # A cleaner environment than the caller's: apt must never wait for an answer.
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    wait = "DPkg::Lock::Timeout=300"
    with _no_service_starts():
        logged(["apt-get", "update", "-o", wait], log, environment=environment)
        logged(
            ["apt-get", "install", "-y", "--no-install-recommends", "-o", wait, *packages],
            log,
            environment=environment,
        )
    _disable(packages)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's own switch: a policy-rc.d that answers 101 forbids starting services."""
    forget_policy()
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text(f"#!/bin/sh\n{MARK}exit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        forget_policy()


def forget_policy() -> None:
    """Remove our policy file, also one left by a run that was killed; never anybody else's."""
    if POLICY.exists() and MARK in POLICY.read_text():
        POLICY.unlink()


def _disable(installed: list[str]) -> None:
    services = [SERVICES[package] for package in installed if package in SERVICES]
    if services and shutil.which("systemctl") and Path("/run/systemd/system").exists():
        run(["systemctl", "disable", *services])
