"""Builds the images with buildah, without Docker: ``python images/build.py [NAME...]``, as root.

The base comes from Debian's packages. An image whose inputs have not changed is left as it is.
The store is ``.cluster/buildah`` (in MARTLET_CLUSTER_DIR instead of ``.cluster``, if that is set).
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import debian
from catalog import ALL, BY_NAME, DEBIAN, ROOT, Image, inputs_digest, with_bases
from store import INPUTS_LABEL, BuildError, Store

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def build_all(images: list[Image], store: Store) -> None:
    """Build what is not up to date, bases first, and print a line for each image."""
    with store.held():
        store.clear_leftovers()
        try:
            for image in images:
                print(_built(image, current_digest(image), store), flush=True)
        finally:
            store.clear_leftovers()


def current_digest(image: Image) -> str:
    """The digest of the image's inputs as they are now, its bases' among them."""
    if image.base is None:
        return hashlib.sha256(debian.recipe().encode()).hexdigest()
    return inputs_digest(image, current_digest(BY_NAME[image.base]))


def _built(image: Image, digest: str, store: Store) -> str:
    if store.inputs(image.tag) == digest:
        return f"{image.name:11} unchanged         {store.size(image.tag):>8}"
    start = time.monotonic()
    if image == DEBIAN:
        debian.build(store, image.tag, digest)
    else:
        store.logged(image.name, store.command(*_build_arguments(image, digest)))
    seconds = time.monotonic() - start
    return f"{image.name:11} built in {seconds:5.0f} s  {store.size(image.tag):>8}"


def _build_arguments(image: Image, digest: str) -> list[str]:
    assert image.base, "Debian's own image has no Containerfile"
    arguments = ["build", "--layers", "--isolation", "chroot", "--network", "host"]
    arguments += ["--pull-never", "--build-arg", f"BASE={BY_NAME[image.base].tag}"]
    for volume in _volumes():
        arguments += ["--volume", volume]
    arguments += ["--label", f"{INPUTS_LABEL}={digest}", "--ignorefile", ".dockerignore"]
    return [*arguments, "--file", str(image.containerfile), "--tag", image.tag, "."]


def _volumes() -> list[str]:
    """What install.py finds in the build and no image keeps: uv, its cache, the host's trust."""
    volumes = []
    if CERTIFICATES.exists():
        volumes.append(f"{CERTIFICATES}:{CERTIFICATES}:ro")
    beside_this_python = str(Path(sys.executable).parent)
    uv = shutil.which("uv") or shutil.which("uv", path=beside_this_python)
    if uv:
        answer = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True)
        cache = Path(answer.stdout.strip())
        cache.mkdir(parents=True, exist_ok=True)
        volumes += [f"{Path(uv).resolve().parent}:/run/uv:ro", f"{cache}:/run/uv-cache"]
    return volumes


def _missing() -> list[str]:
    """What is to be done before a build can start."""
    packages = [name for name in ("buildah", "debootstrap") if not shutil.which(name)]
    wanted = [f"install {' '.join(packages)} with apt-get"] if packages else []
    return wanted + (["become root"] if os.geteuid() else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ", ".join(image.name for image in ALL)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {names}")
    asked = parser.parse_args().names
    unknown = sorted(set(asked) - set(BY_NAME))
    if unknown:
        parser.error(f"no image is called {', '.join(unknown)}; there are {names}")
    missing = _missing()
    if missing:
        parser.error(f"first {' and '.join(missing)}")
    folder = Path(os.environ.get("MARTLET_CLUSTER_DIR") or ROOT / ".cluster").absolute()
    try:
        build_all(with_bases(asked), Store(folder / "buildah"))
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
