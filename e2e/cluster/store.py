"""Reads buildah's store (containers/storage, overlay driver): which layers make an image."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class StoreError(Exception):
    """An image is not in the store, or the store is not what was expected."""


@dataclass(frozen=True)
class Layer:
    """One layer: the digest of its contents, where its files are, and its place in the stack."""

    digest: str
    folder: Path
    chain: str
    parent_chain: str


@dataclass(frozen=True)
class Image:
    """An image's configuration (JSON as it was hashed) and its layers, the lowest first."""

    config: bytes
    layers: list[Layer]


def find(root: Path, name: str) -> Image:
    """The image of this name; raises StoreError."""
    images = _read(root / "overlay-images" / "images.json")
    found = [image for image in images if name in (image.get("names") or [])]
    if not found:
        names = sorted(one for image in images for one in (image.get("names") or []))
        raise StoreError(f"no image {name} in {root}; there are: {', '.join(names) or 'none'}")
    image = found[0]
    config = _big_data(root / "overlay-images" / image["id"], f"sha256:{image['id']}")
    wanted = json.loads(config)["rootfs"]["diff_ids"]
    return Image(config, _layers(root, image["layer"], wanted))


def _layers(root: Path, top: str, wanted: list[str]) -> list[Layer]:
    """The stack below the top layer, checked against what the configuration says."""
    entries = {entry["id"]: entry for entry in _read(root / "overlay-layers" / "layers.json")}
    stack: list[dict[str, Any]] = []
    while top:
        stack.insert(0, entries[top])
        top = entries[top].get("parent", "")
    digests = [entry.get("diff-digest", "") for entry in stack]
    if digests != wanted:
        raise StoreError(f"the store's layers {digests} are not the image's {wanted}")
    chains = chain_ids(wanted)
    return [
        Layer(digest, root / "overlay" / entry["id"] / "diff", chain, parent)
        for digest, entry, chain, parent in zip(wanted, stack, chains, ["", *chains], strict=False)
    ]


def chain_ids(digests: list[str]) -> list[str]:
    """What OCI calls each layer together with all below it."""
    chains: list[str] = []
    for digest in digests:
        if not chains:
            chains.append(digest)
            continue
        both = f"{chains[-1]} {digest}".encode()
        chains.append(f"sha256:{hashlib.sha256(both).hexdigest()}")
    return chains


def _big_data(folder: Path, key: str) -> bytes:
    """A file of the image: the store keeps names with a colon in base64, after an `=`."""
    encoded = folder / f"={base64.urlsafe_b64encode(key.encode()).decode()}"
    if not encoded.exists():
        encoded = folder / f"={base64.b64encode(key.encode()).decode()}"
    return encoded.read_bytes()


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        raise StoreError(f"there is no image store: {path} is missing; build the images first")
    content: list[dict[str, Any]] = json.loads(path.read_text())
    return content
