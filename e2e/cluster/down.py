"""Takes the cluster away: no process, mount, cgroup, namespace, cable or file is left."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from cluster import cgroups, namespace, packages
from cluster.settings import Settings
from cluster.shell import run
from cluster.steps import step

GONE_SECONDS = 20.0


class LeftoverError(Exception):
    """Something of the cluster is still there after `down`."""


def down(settings: Settings) -> None:
    """Works from every state that `up` can be left in; raises StepError."""
    with step("end every process"):
        cgroups.end_processes(settings.name)
    with step("cut the cable"):
        namespace.cut_cable(settings)
    with step("remove cgroups"):
        cgroups.remove(settings.name)
    with step("unmount what images were built on"):
        _unmount_below(settings.folder)
    with step("remove files"):
        packages.forget_policy()
        _remove_folder(settings.folder)
    with step("look for leftovers"):
        check(settings)


def mounts_below(folder: Path) -> list[Path]:
    """Mount points at or below a folder, the deepest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [Path(line.split()[1].replace("\\040", " ")) for line in lines]
    below = [point for point in points if point.is_relative_to(folder)]
    return sorted(below, key=lambda point: len(point.parts), reverse=True)


def _unmount_below(folder: Path) -> None:
    # The cluster's own mounts went with its namespace; buildah mounts its store in the host's.
    for point in mounts_below(folder):
        run(["umount", point])


def _remove_folder(folder: Path) -> None:
    if not folder.exists():
        return
    # Renamed first: a removal that is killed half-way never looks like a cluster again.
    doomed = folder.with_name(f"{folder.name}.removing-{os.getpid()}")
    folder.rename(doomed)
    for one in folder.parent.glob(f"{folder.name}.removing-*"):
        shutil.rmtree(one)


def check(settings: Settings) -> None:
    """Raises LeftoverError that lists what is left."""
    deadline = time.monotonic() + GONE_SECONDS
    while left := leftovers(settings):
        if time.monotonic() > deadline:
            raise LeftoverError(f"still there after `down`: {'; '.join(left)}")
        time.sleep(0.1)


def leftovers(settings: Settings) -> list[str]:
    """Everything of the cluster that can be found on the machine, in words."""
    found = [f"process {process}" for process in sorted(_processes_naming(settings.folder))]
    found += [f"mount {point}" for point in mounts_below(settings.folder)]
    groups = [root / settings.name for root in cgroups.everywhere()]
    found += [f"cgroup {group}" for group in groups if group.exists()]
    if Path(f"/sys/class/net/{settings.host_link}").exists():
        found.append(f"network device {settings.host_link}")
    found += [f"route {line}" for line in _routes(settings)]
    folders = settings.folder.parent.glob(f"{settings.folder.name}.removing-*")
    found += [f"folder {folder}" for folder in (settings.folder, *folders) if folder.exists()]
    return found


def _routes(settings: Settings) -> list[str]:
    lines = run(["ip", "-o", "route"]).splitlines()
    ours = {str(settings.pods), str(settings.services)}
    return [line for line in lines if line.split()[0] in ours]


def _processes_naming(folder: Path) -> set[int]:
    """Processes that run a program of the folder or hold a file of it open."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _touches(process, folder):
            found.add(int(process.name))
    return found


def _touches(process: Path, folder: Path) -> bool:
    for link in (process / "exe", process / "cwd", process / "root"):
        try:
            if link.readlink().is_relative_to(folder):
                return True
        except OSError:
            continue  # a kernel thread, or a process that has just ended
    return False
