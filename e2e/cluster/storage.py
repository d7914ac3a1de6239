"""Volumes: a directory of the node for every claim."""

from __future__ import annotations

from cluster import processes
from cluster.control_plane import kubeconfig
from cluster.settings import Settings


def start(settings: Settings) -> None:
    """The provisioner behind the default StorageClass."""
    settings.volumes.mkdir(parents=True, exist_ok=True)
    processes.keep(
        settings,
        "local-provisioner",
        [
            settings.bin / "local-provisioner",
            f"--kubeconfig={kubeconfig(settings, 'local-provisioner')}",
            f"--root={settings.volumes}",
        ],
    )
