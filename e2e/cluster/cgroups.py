"""The cluster's own cgroup: what runs in it is ours, and nothing else is ever ended.

Every daemon is started inside NAME/system/DAEMON and every container lands under
NAME/kubepods, so membership tells our processes from others, with no race between
starting a process and noting its number. Works on cgroup v1, v2 and both at once.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

MOUNTS = Path("/proc/mounts")
END_SECONDS = 20.0


class CgroupError(Exception):
    """Processes or cgroups that will not go away."""


def hierarchies() -> list[Path]:
    """Mount points of the cgroup hierarchies that can hold a cluster's pods."""
    return _mounted("cgroup") or _mounted("cgroup2")


def everywhere() -> list[Path]:
    """All mount points: where both versions are mounted, runc makes groups in the second too."""
    return [*_mounted("cgroup"), *_mounted("cgroup2")]


def _mounted(wanted: str) -> list[Path]:
    lines = [line.split() for line in MOUNTS.read_text().splitlines()]
    return [Path(path) for _, path, kind, *_ in lines if kind == wanted]


def tracking() -> Path:
    """The hierarchy in which our processes are counted: pids where v1 has it, else the only one."""
    found = hierarchies()
    return next((path for path in found if path.name.split(",")[0] == "pids"), found[0])


def create(name: str) -> None:
    """Make the cluster's cgroup in every hierarchy; the kubelet wants to find it."""
    for hierarchy in hierarchies():
        _pass_controllers_on(hierarchy)
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # On v1 a new cpuset is empty, and nothing can run in it until it is filled.
            file = group / setting
            if hierarchy.name == "cpuset" and not file.read_text().strip():
                file.write_text((hierarchy / setting).read_text())


def _pass_controllers_on(root: Path) -> None:
    """On v2 the root must hand its controllers to the cgroups below it, as systemd does too."""
    available, handed = root / "cgroup.controllers", root / "cgroup.subtree_control"
    if not available.exists():
        return
    for controller in set(available.read_text().split()) & {
        "cpu",
        "cpuset",
        "io",
        "memory",
        "pids",
    }:
        if controller not in handed.read_text().split():
            handed.write_text(f"+{controller}")


def of_daemon(name: str, daemon: str) -> Path:
    """The file that takes a daemon's process id, its cgroup made unless it is there."""
    group = tracking() / name / "system" / daemon
    group.mkdir(parents=True, exist_ok=True)
    return group / "cgroup.procs"


def holds(name: str, daemon: str, process: int) -> bool:
    """Whether a process id belongs to this daemon of ours (and not to a later process)."""
    try:
        lines = Path(f"/proc/{process}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(line.endswith(f":/{name}/system/{daemon}") for line in lines)


def processes(name: str, below: str = "") -> set[int]:
    """All processes in the cluster's cgroup, or in a part of it."""
    found: set[int] = set()
    for file in (tracking() / name / below).rglob("cgroup.procs"):
        try:
            found.update(int(line) for line in file.read_text().split())
        except (FileNotFoundError, OSError):
            continue  # the cgroup went away while we looked: its processes are gone too
    return found


def end_processes(name: str) -> None:
    """Kill every process of the cluster and wait until they are gone; raises CgroupError."""
    deadline = time.monotonic() + END_SECONDS
    while left := processes(name):
        if time.monotonic() > deadline:
            raise CgroupError(f"processes that do not die: {sorted(left)}; see `ps -fp PID`")
        for process in left:
            _kill(process)
        time.sleep(0.05)


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def remove(name: str) -> None:
    """Remove the cluster's cgroups everywhere, the deepest first; raises CgroupError."""
    deadline = time.monotonic() + END_SECONDS
    while left := [group for root in everywhere() for group in _tree(root / name)]:
        for group in left:
            _remove(group)
        if time.monotonic() > deadline:
            raise CgroupError(f"cgroups that cannot be removed: {left[:5]}")


def _tree(group: Path) -> list[Path]:
    if not group.exists():
        return []
    inside = [Path(folder) for folder, _, _ in os.walk(group, topdown=False)]
    return inside or [group]


def _remove(group: Path) -> None:
    try:
        group.rmdir()
    except FileNotFoundError:
        return
    except OSError:
        time.sleep(0.02)  # a process that was just killed is still leaving: the caller retries
