from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from rollouts.make_versions import NOISE, WEIGHTS, make, with_noise


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    rng = np.random.default_rng(1)
    weights = {"matrix": rng.normal(0, 0.02, (64, 64)), "norm": np.ones(64)}
    save_file({name: value.astype(np.float32) for name, value in weights.items()}, folder / WEIGHTS)
    return folder


def test_the_next_version_has_the_same_weights_in_other_bytes(model: Path) -> None:
    made = make(model, "next", lambda weights: weights)
    assert made == model.with_name("base-next")
    assert (made / "config.json").read_text() == "{}"
    assert (made / WEIGHTS).read_bytes() != (model / WEIGHTS).read_bytes()
    before, after = load_file(model / WEIGHTS), load_file(made / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with safe_open(made / WEIGHTS, "np") as file:
        assert file.metadata()["format"] == "pt", "transformers refuses weights without a format"


def test_the_damaged_version_has_noise_on_its_matrices_alone(model: Path) -> None:
    before = load_file(model / WEIGHTS)
    after = load_file(make(model, "damaged", with_noise) / WEIGHTS)
    assert np.array_equal(before["norm"], after["norm"])
    assert after["matrix"].dtype == np.float32
    added = after["matrix"] - before["matrix"]
    assert added.std() == pytest.approx(NOISE * before["matrix"].std(), rel=0.05)


def test_a_version_that_is_there_is_left_alone_and_a_half_made_one_made_anew(model: Path) -> None:
    half = model.with_name(".base-next")
    half.mkdir()
    (half / "leftover").touch()
    made = make(model, "next", lambda weights: weights)
    assert not (made / "leftover").exists()
    (made / "mark").touch()
    assert (make(model, "next", lambda weights: weights) / "mark").exists()
