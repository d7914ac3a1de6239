"""python -m cluster build|up|status|import IMAGE...|apiserver|down"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cluster import apiserver, build, existing, images, packages, status, store
from cluster.down import down
from cluster.settings import Settings, SettingsError, from_environment
from cluster.shell import CommandError
from cluster.steps import StepError, step
from cluster.up import up

ERRORS = (
    StepError, SettingsError, CommandError, existing.ExistingError, images.ImageError,
    store.StoreError, apiserver.ApiServerError,
)  # fmt: skip


def main() -> int:
    """Run one command; 0 when it did what it says."""
    arguments = _arguments()
    try:
        settings = from_environment()
        if existing.wanted() and arguments.command in ("up", "down", "status"):
            print(existing.check(settings) if arguments.command != "down" else "left as it is")
            return 0
        return int(COMMANDS[arguments.command](settings, arguments) or 0)
    except ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="install etcd and compile the programs (10 min when cold)")
    commands.add_parser("up", help="bring the cluster up, or mend it")
    commands.add_parser("status", help="what runs and how to reach it")
    commands.add_parser("down", help="take everything away, images and volumes too")
    commands.add_parser("apiserver", help="an API server alone, until Ctrl-C")
    importing = commands.add_parser("import", help="make images of buildah's store runnable")
    importing.add_argument("images", nargs="+", metavar="IMAGE")
    return parser.parse_args()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One `up`, `down` or `build` at a time; the lock ends with the process that holds it."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _need_root() -> None:
    if os.geteuid() != 0:
        raise CommandError("the cluster needs root: it makes namespaces, mounts and cgroups")


def _build(settings: Settings, _: argparse.Namespace) -> None:
    with _alone(settings), step("build the programs"):
        packages.install(settings, packages.API_SERVER_NEEDED)
        build.build(settings)


def _up(settings: Settings, _: argparse.Namespace) -> None:
    _need_root()
    start = time.monotonic()
    with _alone(settings):
        up(settings)
    print(f"up in {time.monotonic() - start:.0f} s")
    print(f"export KUBECONFIG={settings.kubeconfig} PATH={settings.bin}:$PATH")


def _down(settings: Settings, _: argparse.Namespace) -> None:
    _need_root()
    with _alone(settings):
        down(settings)


def _status(settings: Settings, _: argparse.Namespace) -> int:
    lines, running = status.status(settings)
    print("\n".join(lines))
    return 0 if running else 1


def _import(settings: Settings, arguments: argparse.Namespace) -> None:
    _need_root()
    for name in arguments.images:
        with step(f"import {name}"):
            images.import_images(settings, [name])


def _apiserver(_: Settings, __: argparse.Namespace) -> None:
    with apiserver.ApiServer() as server:
        print(f"export KUBECONFIG={server.kubeconfig}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return


COMMANDS = {
    "build": _build,
    "up": _up,
    "status": _status,
    "import": _import,
    "apiserver": _apiserver,
    "down": _down,
}

if __name__ == "__main__":
    sys.exit(main())
