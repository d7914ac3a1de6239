"""Which images are built, in which order, and when one is out of date."""

from pathlib import Path

import pytest

import catalog


def names(images: list[catalog.Image]) -> list[str]:
    return [image.name for image in images]


def test_without_a_name_all_but_the_gpus_are_built_bases_first() -> None:
    built = names(catalog.with_bases([]))
    assert not {"vllm-cuda", "lmdeploy", "sglang"} & set(built)
    for image in catalog.with_bases([]):
        assert image.base is None or built.index(image.base) < built.index(image.name)


def test_a_named_image_brings_its_bases() -> None:
    assert names(catalog.with_bases(["vllm-cpu"])) == ["debian", "torch-base", "vllm-cpu"]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        catalog.with_bases(["vllm"])


def test_copied_paths_are_read_from_the_containerfile() -> None:
    text = "FROM x\nCOPY a b/c /to/\nRUN COPY d e\nCOPY --chmod=644 f /to/f\n"
    assert catalog.copied(text) == ["a", "b/c", "f"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with one image, which copies a file and a folder."""
    folder = tmp_path / "images" / "operator"
    folder.mkdir(parents=True)
    (folder / "Containerfile").write_text("FROM x\nCOPY lock.txt code /to/\n")
    (tmp_path / "lock.txt").write_text("a==1")
    (tmp_path / "code/__pycache__").mkdir(parents=True)
    (tmp_path / "code/main.py").write_text("print(1)")
    return tmp_path


def digest(tree: Path, base: str = "base") -> str:
    return catalog.inputs_digest(catalog.BY_NAME["operator"], base, tree)


@pytest.mark.parametrize("file", ["lock.txt", "code/main.py", "images/operator/Containerfile"])
def test_any_input_changes_the_digest(tree: Path, file: str) -> None:
    before = digest(tree)
    (tree / file).write_text((tree / file).read_text() + "\n")
    assert digest(tree) != before


def test_a_renamed_or_a_new_file_changes_the_digest(tree: Path) -> None:
    seen = {digest(tree)}
    (tree / "code/main.py").rename(tree / "code/other.py")
    seen.add(digest(tree))
    (tree / "code/empty.py").touch()
    seen.add(digest(tree))
    assert len(seen) == 3


def test_another_base_changes_the_digest(tree: Path) -> None:
    assert digest(tree, "base") != digest(tree, "newer base")


def test_what_python_leaves_behind_does_not(tree: Path) -> None:
    before = digest(tree)
    (tree / "code/__pycache__/main.cpython-311.pyc").write_bytes(b"\0")
    (tree / "unrelated.txt").write_text("")
    assert digest(tree) == before


def test_an_empty_folder_is_an_error(tree: Path) -> None:
    (tree / "code/main.py").unlink()
    with pytest.raises(FileNotFoundError, match="code"):
        digest(tree)
