"""Builds the cluster's programs from Go modules.

What counts is how long the first build takes on two cores; README.md has what each of
these saves. What is shared (client-go, gRPC, OpenTelemetry) is compiled once, because all
programs belong to one module. Afterwards Go's build cache answers in seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from cluster import trim
from cluster.settings import GO_MODULE, KUBERNETES_VERSION, Settings
from cluster.shell import CommandError, logged, run

TRAEFIK_PACKAGE = f"{trim.TRAEFIK}/cmd/traefik"
HELM_PACKAGE = "helm.sh/helm/v3/cmd/helm"
PACKAGES = {
    "kube": "./kube",
    "dns": "./dns",
    "pause": "./pause",
    "traefik": TRAEFIK_PACKAGE,
    "helm": HELM_PACKAGE,
}
# Names under which the one Kubernetes program is called.
KUBE_NAMES = [
    "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl",
    "kubelet", "local-provisioner",
]  # fmt: skip
# Unoptimised and without debug information: the cluster runs tests.
COMPILER_FLAGS = "-N -l -dwarf=false"
ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -buildvcs=false",
    # The compiler collects its garbage a quarter as often.
    "GOGC": "400",
}


def build(settings: Settings) -> None:
    """Build every program into the bin folder; raises CommandError with the log's name."""
    if shutil.which("go") is None:
        raise CommandError("Go is not installed: Go 1.26 or newer must be on the PATH")
    stamp, wanted = settings.bin / "built-from", fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _build(settings)
    stamp.write_text(wanted)


def fingerprint() -> str:
    """A digest of all that decides what is built: Go's version, our module, how it is built."""
    content = hashlib.sha256(run(["go", "version"]).encode())
    files = [path for path in GO_MODULE.rglob("*") if path.is_file()]
    for path in sorted([*files, Path(__file__), Path(trim.__file__)]):
        content.update(path.name.encode() + path.read_bytes())
    return content.hexdigest()


def _build(settings: Settings) -> None:
    settings.bin.mkdir(parents=True, exist_ok=True)
    log = settings.logs / "go-build.log"
    modfile = trim.write(settings.folder / "go", modules(list(trim.NOT_COPIED)))
    output = settings.bin / "built"
    output.mkdir(exist_ok=True)
    # One command for all: the go tool then keeps both cores busy while it links.
    # It ends with us, and its scratch files are ours, so that a kill leaves neither.
    scratch = modfile.parent / "scratch"
    scratch.mkdir()
    logged(
        ["setpriv", "--pdeathsig", "KILL", "go", "build", "-trimpath", f"-modfile={modfile}",
         f"-gcflags=all={COMPILER_FLAGS}", f"-ldflags={link_flags()}", "-o", f"{output}/",
         *PACKAGES.values()],
        log,
        environment={**ENVIRONMENT, "GOTMPDIR": str(scratch)},
        folder=GO_MODULE,
    )  # fmt: skip
    for name in PACKAGES:
        _install(output / name, settings.bin / name)
    output.rmdir()
    for name in KUBE_NAMES:
        _link(settings.bin / name, "kube")


def link_flags() -> str:
    """No symbol tables, and the versions that the programs report."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    stamps = [
        f"k8s.io/{package}.{name}={value}"
        for package in ("component-base/version", "client-go/pkg/version")
        for name, value in (
            ("gitVersion", KUBERNETES_VERSION),
            ("gitMajor", major),
            ("gitMinor", minor),
        )
    ]
    return " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])


def modules(paths: list[str]) -> dict[str, Path]:
    """The folders of modules in Go's module cache, fetched unless they are there."""
    lines = run(
        ["go", "mod", "download", "-json", *paths], environment=ENVIRONMENT, folder=GO_MODULE
    )
    decoder, found, rest = json.JSONDecoder(), {}, lines.strip()
    while rest:
        module, end = decoder.raw_decode(rest)
        found[module["Path"]] = Path(module["Dir"])
        rest = rest[end:].strip()
    return found


def _install(built: Path, place: Path) -> None:
    """A program that runs keeps its file; a program that did not change keeps its place."""
    if place.exists() and place.read_bytes() == built.read_bytes():
        built.unlink()
    else:
        os.replace(built, place)


def _link(place: Path, target: str) -> None:
    if not place.is_symlink():
        place.symlink_to(target)
