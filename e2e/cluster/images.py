"""Images from buildah's store to containerd, without a second copy of their layers.

Both keep a layer as a folder of files for overlayfs. The folders are on one disk, so
containerd gets hard links to the files instead of copies: a layer of 6 GB takes seconds
and no space. A layer is never changed once it is made (a container writes into a layer
of its own), so neither store can spoil the other's, and either may delete its names.
containerd reads of the image itself only the manifest and the configuration, a few
kilobytes; it finds the layers in place and unpacks nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import store
from cluster.node import ctr
from cluster.settings import PAUSE_IMAGE, Settings
from cluster.shell import CommandError, run

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

LINK = 'mount --bind "$1" "$2"; exec cp --archive --link "$3/." "$4/"'


class ImageError(Exception):
    """An image cannot be imported; the message says why and what to do."""


def import_images(settings: Settings, names: list[str]) -> None:
    """Make images of buildah's store runnable in the cluster; raises ImageError."""
    for name in names:
        image = store.find(settings.buildah_root, name)
        known = snapshots(settings)
        new = [layer for layer in image.layers if layer.chain not in known]
        for layer in new:
            _link_layer(settings, layer)
        _import(settings, archive(name, image.config, [layer.digest for layer in image.layers]))
        for layer in new:
            # `ctr` made it for ever; from now on the image holds it, and lets go with its name.
            run([*ctr(settings), "snapshots", "label", layer.chain, "containerd.io/gc.root="])
    _forget_unnamed(settings)


def snapshots(settings: Settings) -> set[str]:
    """The chain ids of the layers that containerd has, and forget half-made ones."""
    lines = run([*ctr(settings), "snapshots", "list"]).splitlines()[1:]
    found = {words[0]: words[-1] for line in lines if (words := line.split())}
    for key in found:
        if key.startswith("import-"):
            run([*ctr(settings), "snapshots", "remove", key])
    return {key for key, kind in found.items() if kind == "Committed"}


def _forget_unnamed(settings: Settings) -> None:
    """Drop images whose name now belongs to a newer build, so that their layers go."""
    lines = run([*ctr(settings), "images", "list"]).splitlines()[1:]
    # Columns: name, media type, digest. Kubernetes' plugin adds a second name, the image's id.
    found = [(words[0], words[2]) for line in lines if (words := line.split())]
    named = {digest for name, digest in found if not name.startswith("sha256:")}
    for name, digest in found:
        if digest not in named:
            run([*ctr(settings), "images", "remove", name])


def _link_layer(settings: Settings, layer: store.Layer) -> None:
    """Give containerd one layer: an active snapshot, filled with links, then committed."""
    key = f"import-{layer.digest.removeprefix('sha256:')[:32]}"
    parent = [layer.parent_chain] if layer.parent_chain else []
    mounts = run([*ctr(settings), "snapshots", "prepare", "--mounts", key, *parent])
    link_tree(settings, layer.folder, upper_folder(mounts))
    run([*ctr(settings), "snapshots", "commit", layer.chain, key])


def upper_folder(mounts: str) -> Path:
    """The folder that a prepared snapshot's files go into, from `ctr snapshots prepare`."""
    mount = json.loads(mounts)[0]
    options = {str(key).lower(): value for key, value in mount.items()}
    for option in options["options"]:
        if option.startswith("upperdir="):
            return Path(option.removeprefix("upperdir="))
    return Path(options["source"])


def link_tree(settings: Settings, source: Path, target: Path) -> None:
    """Make `target` the same tree: new folders with the same attributes, linked files.

    buildah mounts its store onto itself while it works, and no link may cross a mount: so the
    cluster's folder is looked at without what is mounted in it, where nobody else sees that.
    """
    view = settings.run / "without-mounts"
    view.mkdir(exist_ok=True)
    places = [view / path.relative_to(settings.folder) for path in (source, target)]
    run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", LINK, "sh",
         settings.folder, view, *places])  # fmt: skip


@dataclass(frozen=True)
class Blob:
    """Bytes and what they are called in an OCI image layout."""

    content: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def descriptor(self, kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": self.digest, "size": len(self.content)}


def archive(
    name: str, config: bytes, layers: list[str], blobs: tuple[bytes, ...] = ()
) -> dict[str, bytes]:
    """The files of an OCI layout for one image; layers that are not in `blobs` are only named."""
    given = {Blob(content).digest: content for content in blobs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": Blob(config).descriptor(CONFIG),
        # A layer's size is only used to read it from an archive, which there is none of.
        "layers": [
            {"mediaType": LAYER, "digest": layer, "size": len(given.get(layer, b""))}
            for layer in layers
        ],
    }
    body = Blob(json.dumps(manifest, sort_keys=True).encode())
    entry = {**body.descriptor(MANIFEST), "annotations": {"io.containerd.image.name": name}}
    index = {"schemaVersion": 2, "manifests": [entry]}
    contents = [config, body.content, *blobs]
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps(index).encode(),
        **{
            f"blobs/sha256/{Blob(content).digest.removeprefix('sha256:')}": content
            for content in contents
        },
    }


def _import(settings: Settings, files: dict[str, bytes]) -> None:
    run([*ctr(settings), "images", "import", "-"], stdin=tar(files))


def tar(files: dict[str, bytes], mode: int = 0o644) -> bytes:
    """An uncompressed tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as output:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            output.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def import_pause(settings: Settings) -> None:
    """The image of every pod's first process: our static program and nothing else."""
    if PAUSE_IMAGE in run([*ctr(settings), "images", "list", "--quiet"]).split():
        return
    layer = tar({"pause": (settings.bin / "pause").read_bytes()}, mode=0o755)
    digest = Blob(layer).digest
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    _import(settings, archive(PAUSE_IMAGE, json.dumps(config).encode(), [digest], (layer,)))


def check(settings: Settings, names: list[str]) -> list[str]:
    """Those of the images that containerd does not have."""
    try:
        known = set(run([*ctr(settings), "images", "list", "--quiet"]).split())
    except CommandError as error:
        raise ImageError(f"the cluster does not run: {error}; run `up` first") from error
    return [name for name in names if name not in known]
