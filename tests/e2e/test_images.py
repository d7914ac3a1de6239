from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from cluster import images, store


def _store(root: Path) -> None:
    """A store of buildah's with one image of two layers."""
    config = json.dumps({"rootfs": {"diff_ids": ["sha256:a", "sha256:b"]}}).encode()
    identity = hashlib.sha256(config).hexdigest()
    (root / "overlay-layers").mkdir(parents=True)
    (root / "overlay-layers" / "layers.json").write_text(
        json.dumps(
            [
                {"id": "two", "parent": "one", "diff-digest": "sha256:b"},
                {"id": "one", "diff-digest": "sha256:a"},
            ]
        )
    )
    folder = root / "overlay-images"
    folder.mkdir()
    (folder / "images.json").write_text(
        json.dumps([{"id": identity, "names": ["localhost/x:1"], "layer": "two"}, {"id": "none"}])
    )
    key = base64.b64encode(f"sha256:{identity}".encode()).decode()
    (folder / identity).mkdir()
    (folder / identity / f"={key}").write_bytes(config)


def test_an_images_layers_are_found_from_the_lowest_up(tmp_path: Path) -> None:
    _store(tmp_path)
    layers = store.find(tmp_path, "localhost/x:1").layers
    assert [layer.folder.parent.name for layer in layers] == ["one", "two"]
    chain = hashlib.sha256(b"sha256:a sha256:b").hexdigest()
    assert [layer.chain for layer in layers] == ["sha256:a", f"sha256:{chain}"]
    assert [layer.parent_chain for layer in layers] == ["", "sha256:a"]


def test_an_unknown_image_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    _store(tmp_path)
    with pytest.raises(store.StoreError, match=r"localhost/y:1.*localhost/x:1"):
        store.find(tmp_path, "localhost/y:1")


def test_a_store_that_disagrees_with_the_image_is_refused(tmp_path: Path) -> None:
    _store(tmp_path)
    layers = tmp_path / "overlay-layers" / "layers.json"
    layers.write_text(layers.read_text().replace("sha256:b", "sha256:c"))
    with pytest.raises(store.StoreError, match="sha256:c"):
        store.find(tmp_path, "localhost/x:1")


def test_an_archive_names_layers_that_it_does_not_carry() -> None:
    files = images.archive("localhost/x:1", b"{}", ["sha256:a"])
    index = json.loads(files["index.json"])["manifests"][0]
    assert index["annotations"] == {"io.containerd.image.name": "localhost/x:1"}
    manifest = json.loads(files["blobs/sha256/" + index["digest"].removeprefix("sha256:")])
    assert [layer["digest"] for layer in manifest["layers"]] == ["sha256:a"]
    assert len([name for name in files if name.startswith("blobs/")]) == 2
    with tarfile.open(fileobj=io.BytesIO(images.tar(files))) as archive:
        assert sorted(archive.getnames()) == sorted(files)


@pytest.mark.parametrize(
    ("mounts", "folder"),
    [
        ('[{"Type":"bind","Source":"/c/1/fs","Options":["rw","rbind"]}]', "/c/1/fs"),
        (
            '[{"Type":"overlay","Source":"overlay",'
            '"Options":["workdir=/c/2/work","upperdir=/c/2/fs","lowerdir=/c/1/fs"]}]',
            "/c/2/fs",
        ),
    ],
)
def test_a_prepared_snapshots_folder_is_found(mounts: str, folder: str) -> None:
    assert images.upper_folder(mounts) == Path(folder)
