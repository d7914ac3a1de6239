"""An adapter is merged into its base first, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from quantize_builders import FP8, Ladder, plan

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan
from martlet_runtime import artifacts
from martlet_runtime.errors import UserError
from martlet_runtime.loading import load_model
from martlet_runtime.quantize import flow, merging

pytestmark = pytest.mark.torch

TOLERANCE = 1e-4
"""Of logits in float32, which are of the order of 10."""
BASE, ADAPTER = (f"sha256:{digit * 64}" for digit in "12")


@pytest.fixture
def adapted(ladder: Ladder, tmp_path: Path) -> Any:
    """The base under an adapter that changes what it says; the adapter lies in the pod."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(load_model(ladder.paths, torch.float32), config).eval()
    model.save_pretrained(tmp_path / "adapter")
    (ladder.paths.inputs / "adapter").symlink_to(tmp_path / "adapter")
    return model


def wanted(adapter: str = ADAPTER) -> Plan:
    """A run over the base and the adapter of these digests."""
    work = plan(FP8, limit=50)
    models = [("model", BASE), ("adapter", adapter)]
    parts = [Input(name=n, kind="Model", uri=f"pvc://data/{n}", digest=d) for n, d in models]
    return work.model_copy(update={"inputs": [*parts, *work.inputs]})


def merged_folders(ladder: Ladder) -> list[Path]:
    return sorted(ladder.artifact.parent.glob("merged-*"))


@torch.no_grad()
def test_the_merged_model_says_what_the_adapter_says(ladder: Ladder, adapted: Any) -> None:
    ids = torch.arange(2, 42).unsqueeze(0)
    full, merged = merging.full_model(wanted(), ladder.paths)
    assert merged is not None
    assert not (full.inputs / "adapter").exists()
    said = load_model(full, torch.float32)(ids).logits
    assert (said - adapted(ids).logits).abs().max() < TOLERANCE
    with adapted.disable_adapter():
        assert (said - adapted(ids).logits).abs().max() > 100 * TOLERANCE


def test_it_is_an_artifact_with_a_digest_and_what_it_was_made_from(
    ladder: Ladder, adapted: Any
) -> None:
    ended = flow.run(wanted(), ladder.paths, ladder.report)
    assert ended.quantize is not None
    merged = ended.quantize.merged
    assert merged is not None
    (folder,) = merged_folders(ladder)
    assert merged.uri == f"pvc://models/q/{folder.name}"
    assert artifacts.verify(folder, merged.digest).bytes == merged.bytes
    assert BASE in (folder / "martlet-record.json").read_text()
    assert ADAPTER in (folder / "martlet-record.json").read_text()
    weights = (folder / "model.safetensors").stat().st_size
    assert ended.quantize.source_bytes == weights


def test_it_is_merged_once_for_the_same_digests(
    ladder: Ladder, adapted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = merging.full_model(wanted(), ladder.paths)
    monkeypatch.setattr(merging, "_merge", None)
    assert merging.full_model(wanted(), ladder.paths) == first
    assert merging.bytes_to_write(wanted(), ladder.paths) == 0
    other = wanted(f"sha256:{'3' * 64}")
    assert merging.bytes_to_write(other, ladder.paths) > 0
    assert merging.output_of(other).uri != merging.output_of(wanted()).uri


def test_a_merged_model_that_was_changed_is_refused(ladder: Ladder, adapted: Any) -> None:
    merging.full_model(wanted(), ladder.paths)
    (folder,) = merged_folders(ladder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(UserError) as caught:
        merging.full_model(wanted(), ladder.paths)
    assert caught.value.reason == Reason.DIGEST_MISMATCH
    assert "config.json in pvc://models/q/merged-" in caught.value.message
    assert "Delete that folder" in caught.value.message


def test_without_an_adapter_nothing_is_merged(ladder: Ladder) -> None:
    assert merging.full_model(plan(FP8, limit=5), ladder.paths) == (ladder.paths, None)
    assert merged_folders(ladder) == []
