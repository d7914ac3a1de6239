"""The images there are, what each stands on, and the digest of what goes into each."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"


@dataclass(frozen=True)
class Image:
    """``base`` is the image of ours that it is built on; None for Debian's own files.

    The folder has the image's name. It must never be a name that Python could import in the
    place of a library: that is why ``torch-base`` is not called torch.

    ``everywhere`` is False for what is no use on a machine without a GPU: built when named.
    """

    name: str
    base: str | None = "debian"
    everywhere: bool = True

    @property
    def tag(self) -> str:
        return f"localhost/martlet/{self.name}:{VERSION}"

    @property
    def containerfile(self) -> Path:
        return Path("images") / self.name / "Containerfile"


DEBIAN = Image("debian", base=None)
ALL = (
    DEBIAN,
    Image("operator"),
    Image("torch-base"),
    Image("runtime", base="torch-base"),
    Image("vllm-cpu", base="torch-base"),
    Image("vllm-cuda", everywhere=False),
    Image("lmdeploy", everywhere=False),
    Image("sglang", everywhere=False),
)
"""In an order in which each comes after its base."""
BY_NAME = {image.name: image for image in ALL}


def with_bases(names: list[str]) -> list[Image]:
    """The named images and all that they stand on, in order. No name: those for every machine.

    Raises KeyError for a name that is not in the catalogue.
    """
    chosen = [BY_NAME[name] for name in names] or [image for image in ALL if image.everywhere]
    needed = {base.name for image in chosen for base in lineage(image)}
    return [image for image in ALL if image.name in needed]


def lineage(image: Image) -> Iterator[Image]:
    """The image, its base, the base of that, and so on."""
    yield image
    while image.base:
        image = BY_NAME[image.base]
        yield image


def copied(containerfile: str) -> list[str]:
    """The paths that COPY lines take from the repository, in order of appearance."""
    lines = (line.split() for line in containerfile.splitlines() if line.startswith("COPY "))
    return [path for words in lines for path in words[1:-1] if not path.startswith("--")]


def inputs_digest(image: Image, base_digest: str, root: Path = ROOT) -> str:
    """Sha256 of the Containerfile, of every file that it copies, and of the base's digest."""
    digest = hashlib.sha256(base_digest.encode())
    recipe = root / image.containerfile
    digest.update(recipe.read_bytes())
    for path in copied(recipe.read_text()):
        for file in _files(root / path):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(root)} {content}\n".encode())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file())
    if not found:
        raise FileNotFoundError(f"a Containerfile copies {path}, where there is no file")
    return [file for file in found if "__pycache__" not in file.parts]
