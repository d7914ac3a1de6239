"""What tests with a real model stand on: the quickstart's base, trained for seconds, and a pod."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from martlet_runtime.paths import Paths

if TYPE_CHECKING:
    from engine_standin import Engine
    from judge_standin import Judge

sys.path += [str(Path(__file__).parent / name) for name in (".", "train", "cache", "quantize")]

SCRIPT = Path(__file__).resolve().parents[2] / "examples/quickstart/base-model/make_base.py"
STEPS, ROWS, SEED = 50, 16, 7

# The development environment has no torch and the runtime's no stand-in for S3; `make test` runs
# each test where its libraries are.
NEEDS = {
    "torch": [
        "test_perplexity.py",
        "evaluate/test_perplexity.py",
        "train/*",
        "estimate/*",
        "quantize/*",
        "test_rendering.py",
    ],
    "boto3": ["test_s3.py"],
}
collect_ignore_glob = [
    name
    for library, names in NEEDS.items()
    if not importlib.util.find_spec(library)
    for name in names
]

# As in a pod: whoever asks a hub is refused at once.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")


@pytest.fixture(scope="session")
def make_base() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_base", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def village(make_base: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``base`` (1.3 M parameters), ``train.jsonl``, ``stories.txt``..."""
    import torch

    torch.manual_seed(SEED)
    rng, root = random.Random(SEED), tmp_path_factory.mktemp("village")
    people = make_base.settle(rng)
    make_base.write_data(root, people, rng)
    tokenizer = make_base.make_tokenizer(people, rng)
    model = make_base.train(tokenizer, people, rng, STEPS, ROWS)
    model.save_pretrained(root / "base")
    tokenizer.save_pretrained(root / "base")
    return root


@pytest.fixture
def pod(tmp_path: Path) -> Callable[..., Paths]:
    """``pod(model=..., dataset=...)``: a pod's folders, with these inputs laid out by links."""

    def lay_out(**inputs: Path) -> Paths:
        root = tmp_path / f"pod-{len(list(tmp_path.iterdir()))}"
        paths = Paths(root / "inputs", root / "work", tmp_path / "volumes", root / "termination")
        paths.inputs.mkdir(parents=True)
        paths.work.mkdir()
        for name, path in inputs.items():
            (paths.inputs / name.replace("_", "-")).symlink_to(path)
        return paths

    return lay_out


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine on loopback."""
    from engine_standin import Engine

    running = Engine()
    yield running
    running.close()


@pytest.fixture
def judge() -> Iterator[Judge]:
    """A judge on loopback."""
    from judge_standin import Judge

    running = Judge()
    yield running
    running.close()
