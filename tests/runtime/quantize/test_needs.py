"""What is told of memory and disks before a weight is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from quantize_builders import FP8, GPTQ32, W8A8, W8A16, Ladder
from transformers import Qwen2Config, Qwen2ForCausalLM

from martlet_api.conditions import Reason
from martlet_api.quantizedmodel import Rung
from martlet_runtime.errors import UserError
from martlet_runtime.loading import shape_of_model
from martlet_runtime.quantize import needs, rung
from martlet_runtime.quantize.needs import Calibration

pytestmark = pytest.mark.torch

GIB = 1 << 30
ROWS = Calibration(rows=16, tokens=128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 30 million parameters under ``model``."""
    torch.manual_seed(5)
    config = Qwen2Config(
        vocab_size=4000, hidden_size=640, intermediate_size=1920, num_hidden_layers=5,
        num_attention_heads=8, num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    root = tmp_path_factory.mktemp("needs")
    Qwen2ForCausalLM(config).save_pretrained(root / "model")
    return root


@pytest.fixture(scope="module")
def shape(folder: Path) -> Any:
    return shape_of_model(folder / "model", torch.float32)


def test_the_memory_told_holds_what_a_real_run_takes(folder: Path, shape: Any) -> None:
    """At least nearly all of it, and no half more."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("peak.py"), folder, "W8A8",
         str(ROWS.rows), str(ROWS.tokens)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    started, peak = map(int, done.stdout.split("PEAK ")[1].split())
    told = needs.of(W8A8, shape, torch.float32, ROWS).memory
    print(f"told {told >> 20} MiB, measured {peak >> 20}, started with {started >> 20}")
    assert 0.95 < told / peak < 1.5
    assert 0.8 < (told - needs.PROCESS) / (peak - started) < 2


@pytest.mark.parametrize("tried", [FP8, GPTQ32, W8A8], ids=lambda tried: tried.method)
def test_the_bytes_told_are_those_written(ladder: Ladder, tried: Rung) -> None:
    """A tenth more at most: of headers, names and the tokenizer."""
    ended = ladder.climb(tried, limit=50, cpu=frozenset({"avx512f"}))
    assert ended.quantize is not None
    shape = shape_of_model(ladder.base, torch.float32)
    written = (ladder.artifact / "model.safetensors").stat().st_size
    assert 1 <= written / needs.compressed_bytes(tried, shape, torch.float32) < 1.1


def test_gptq_needs_a_square_of_each_layers_inputs(shape: Any) -> None:
    told = [needs.of(each, shape, torch.float32, ROWS) for each in (W8A8, W8A16)]
    squares = 6 * 640**2 + 1920**2
    states = 2 * ROWS.rows * ROWS.tokens * 640 * 4
    assert told[0].memory - told[1].memory == (squares + 3 * 1920**2) * 4 + states
    assert told[0].disk == told[1].disk


def test_too_little_memory_is_told_before_anything_is_loaded(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "memory_limit", lambda: GIB // 2)
    monkeypatch.setattr(rung, "compress", None)
    with pytest.raises(UserError) as caught:
        ladder.climb(FP8, W8A8, limit=5)
    assert caught.value.reason == Reason.INSUFFICIENT_MEMORY
    assert "Compressing by W8A8 needs about 0.9" in caught.value.message
    assert "the container may have 0.50 GiB. Raise spec.pod.resources.limits.memory" in (
        caught.value.message
    )


def test_too_little_disk_is_told_before_anything_is_loaded(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UserError) as caught:
        ladder.climb(FP8, limit=5)
    assert caught.value.reason == Reason.DISK_FULL
    assert "The pod's scratch space needs about 1.7 MiB, and 0.0 MiB are free" in (
        caught.value.message
    )


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "8589934592\n", 8 * GIB),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "1073741824\n", GIB),
        ("other", "", None),
    ],
)
def test_the_limit_is_read_as_cgroups_write_it(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert needs.memory_limit(tmp_path) == limit
