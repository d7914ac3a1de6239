"""Every tuner trains a small model for real, and what it wrote answers as what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from test_methods import Kept, outputs
from trainer_builders import EPOCH, lay_out, train_plan, whole_steps
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api.conditions import Reason
from martlet_api.training import Tuner
from martlet_runtime.errors import UserError
from martlet_runtime.report import Report
from martlet_runtime.train import flow
from martlet_runtime.train.tuners import TUNERS
from martlet_runtime.train.tuners.qlora import quantization

pytestmark = pytest.mark.torch

STEPS = 8
SERVED = 8
"""The rank of adapters that engines load."""
CASES: dict[str, tuple[Tuner, int | None]] = {
    "LoRA": (Tuner(), SERVED),
    "rsLoRA": (Tuner(use_rslora=True), SERVED),
    "DoRA": (Tuner(use_dora=True), None),
    "LoRA+": (Tuner(loraplus_lr_ratio=16), SERVED),
    "PiSSA": (Tuner(init_lora_weights="PiSSA"), 2 * SERVED),
    "QLoRA": (Tuner(type="QLoRA"), SERVED),
    "AdaLoRA": (Tuner(type="AdaLoRA"), None),
    "VeRA": (Tuner(type="VeRA"), None),
    "BOFT": (Tuner(type="BOFT"), None),
    "FourierFT": (Tuner(type="FourierFT", n_frequency=500), None),
}
MERGED = {name: CASES[name][0] for name in ("DoRA", "PiSSA", "VeRA")}


def trained(
    tuner: Tuner, village: Path, root: Path, kept: Kept, **params: Any
) -> tuple[Path, int | None]:
    """The artifact's folder, and the rank that it says."""
    paths = lay_out(root, village)
    plan = train_plan("t", tuner=tuner, hyperparameters={"max_steps": STEPS, **params})
    ended = flow.run(whole_steps(plan), paths, Report())
    assert ended.train is not None
    losses = kept.logged("loss")
    # Over the same rows, once more.
    assert sum(losses[EPOCH : 2 * EPOCH]) < sum(losses[:EPOCH]), losses
    return paths.of_claim(ended.train.artifact.uri), ended.train.artifact.adapter_rank


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr("martlet_runtime.train.task._LOGGING_STEPS", 1)
    return Kept(monkeypatch)


def base_of(village: Path, **more: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32, **more)


@pytest.mark.parametrize("name", CASES)
def test_an_adapter_reloads_with_the_same_outputs(
    name: str, village: Path, tmp_path: Path, kept: Kept
) -> None:
    tuner, rank = CASES[name]
    folder, told = trained(tuner, village, tmp_path, kept)
    assert told == rank
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    more = {"quantization_config": quantization(torch.float32)} if name == "QLoRA" else {}
    base = base_of(village, **more)
    loaded = PeftModel.from_pretrained(base, folder)
    # TRL keeps the adapters of quantized models in bfloat16, and PEFT loads them in float32.
    trained_in = {n: p.dtype for n, p in kept.trainer.model.named_parameters()}
    for path, weights in loaded.named_parameters():
        weights.data = weights.data.to(trained_in[path])
    wanted = outputs(kept.trainer.model, tokenizer)
    torch.testing.assert_close(outputs(loaded, tokenizer), wanted, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", MERGED)
def test_a_merged_model_answers_as_base_and_adapter(
    name: str, village: Path, tmp_path: Path, kept: Kept
) -> None:
    tuner = MERGED[name].model_copy(update={"merge": True})
    folder, rank = trained(tuner, village, tmp_path, kept)
    assert rank is None
    tokenizer = AutoTokenizer.from_pretrained(folder)
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    wanted = outputs(kept.trainer.model, tokenizer)
    torch.testing.assert_close(outputs(loaded, tokenizer), wanted, atol=1e-3, rtol=1e-3)


def test_galore_learns_and_keeps_less_than_adam(village: Path, tmp_path: Path, kept: Kept) -> None:
    trained(Tuner(type="Full"), village, tmp_path, kept, optimizer="GaLore", learning_rate=1e-3)
    states = kept.trainer.optimizer.optimizer.state
    projected = {p: state for p, state in states.items() if "projector" in state}
    assert len(projected) == 14
    kept_numbers = sum(state["exp_avg"].numel() for state in projected.values())
    assert kept_numbers < sum(p.numel() for p in projected)


def test_loraplus_learns_b_faster(village: Path, tmp_path: Path, kept: Kept) -> None:
    trained(CASES["LoRA+"][0], village, tmp_path, kept)
    groups = kept.trainer.optimizer.param_groups
    rates = {group["initial_lr"] for group in groups if group["params"]}
    assert max(rates) == pytest.approx(16 * min(rates))


def test_adalora_prunes_to_its_rank(village: Path, tmp_path: Path, kept: Kept) -> None:
    trained(CASES["AdaLoRA"][0], village, tmp_path, kept)
    kept_ranks = [
        int((weights != 0).sum())
        for name, weights in kept.trainer.model.named_parameters()
        if "lora_E" in name
    ]
    assert sum(kept_ranks) == pytest.approx(SERVED * len(kept_ranks), abs=1)


@pytest.mark.parametrize(
    ("tuner", "says"),
    [
        (Tuner(rank=512), "spec.tuner.rank 512 is more than the layer model.layers.0."),
        (Tuner(target_modules=["wizard"]), "The model has no module wizard; it has "),
        (Tuner(type="VeRA", target_modules=["wizard"]), "The model has no module wizard"),
        (Tuner(type="BOFT", boft_block_size=7), "boftBlockSize 7 does not divide the 256 inputs"),
    ],
)
def test_what_the_model_cannot_have(tuner: Tuner, says: str, village: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        flow.run(train_plan("t", tuner=tuner), lay_out(tmp_path, village), Report())
    assert caught.value.reason == Reason.INVALID_SPEC
    assert says in caught.value.message


def test_every_tuner_has_its_case() -> None:
    assert {tuner.type for tuner, _ in CASES.values()} | {"Full"} == set(TUNERS)
