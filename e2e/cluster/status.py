"""What runs, in a few lines."""

from __future__ import annotations

from pathlib import Path

from cluster import namespace, processes
from cluster.settings import Settings

DAEMONS = [
    namespace.HOLDER, "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
    "containerd", "kubelet", "kube-proxy", "dns", "local-provisioner", "traefik",
]  # fmt: skip


def status(settings: Settings) -> tuple[list[str], bool]:
    """Lines to print, and whether everything runs."""
    states = {daemon: processes.running(settings, daemon) for daemon in DAEMONS}
    lines = [_line(settings, daemon, process) for daemon, process in states.items()]
    running = all(process is not None for process in states.values())
    if running:
        inside = " ".join(namespace.enter(settings))
        lines += [
            f"kubeconfig  {settings.kubeconfig}",
            f"gateway     {settings.gateway_url}",
            f"audit log   {settings.audit_log}",
            f"inside      {inside} COMMAND",
        ]
    return lines, running


def _line(settings: Settings, daemon: str, process: int | None) -> str:
    if process is None:
        return f"{daemon:24} does not run; log: {processes.log(settings, daemon)}"
    return f"{daemon:24} process {process:>7}  {memory(process):>4} MB"


def memory(process: int) -> int:
    """Resident memory in MB (10^6 bytes)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 // 1_000_000
    return 0
