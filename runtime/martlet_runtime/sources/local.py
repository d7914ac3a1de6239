"""``pvc://CLAIM/PATH`` and ``file:///PATH``: what lies on a volume or in the image."""

import os
from pathlib import Path

from martlet_api.contract import Input
from martlet_runtime.artifacts import Listing, list_files
from martlet_runtime.paths import Paths
from martlet_runtime.sources.missing import not_found


class LocalSource:
    """Nothing is copied: the pod's other containers see the same volume."""

    remote = False

    def size(self, wanted: Input) -> int:
        return 0

    def resolve(self, wanted: Input, paths: Paths) -> str | None:
        return None

    def listing(self, wanted: Input, paths: Paths, scratch: Path) -> Listing:
        return list_files(locate(wanted, paths))

    def bring_configuration(self, wanted: Input, paths: Paths, target: Path) -> None:
        self.bring(wanted, paths, target)

    def bring(self, wanted: Input, paths: Paths, target: Path) -> None:
        target.unlink(missing_ok=True)
        target.symlink_to(locate(wanted, paths))


def locate(wanted: Input, paths: Paths) -> Path:
    """The path of an input that must exist: a folder for a model or a benchmark, a file for
    data."""
    scheme, _, rest = wanted.uri.partition("://")
    root = paths.volumes / rest.split("/", 1)[0] if scheme == "pvc" else Path("/")
    path = paths.volumes / rest if scheme == "pvc" else Path(f"/{rest.lstrip('/')}")
    if not path.resolve().is_relative_to(root.resolve()):
        raise not_found(wanted, "the path leads out of its volume.")
    if wanted.kind != "Dataset" and not path.is_dir():
        raise not_found(wanted, f"there is no folder of that name; {_beside(path)}.")
    if wanted.kind == "Dataset" and not path.is_file():
        raise not_found(wanted, f"there is no file of that name; {_beside(path)}.")
    return path


def _beside(path: Path) -> str:
    """What there is in the nearest folder that exists, so that a slip can be seen."""
    folder = next(parent for parent in path.parents if parent.is_dir())
    names = sorted(os.listdir(folder))[:10]
    return f"{folder.name or '/'} holds {', '.join(names) if names else 'nothing'}"


SOURCE = LocalSource()
