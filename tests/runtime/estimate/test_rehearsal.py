"""What an estimate says is what real steps hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.append(str(Path(__file__).parents[3] / "bench"))

from small_models import make, plan_of, really, tokenizer

from martlet_api.training import Tuner
from martlet_runtime.estimate.memory import Setting
from martlet_runtime.estimate.rehearsal import rehearse

pytestmark = pytest.mark.torch

LORA, FULL = Tuner(rank=8), Tuner(type="Full")
ANSWERS = {"max_completion_length": 16}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("models"), 128, 2, 500)


@pytest.mark.parametrize(
    ("method", "tuner", "checkpointing", "params"),
    [
        ("SFT", LORA, False, {}),
        ("SFT", FULL, True, {}),
        ("SFT", Tuner(type="QLoRA"), False, {}),
        ("DPO", LORA, False, {}),
        ("DPO", FULL, False, {}),
        ("KTO", LORA, True, {}),
        ("RM", FULL, False, {}),
        ("ORPO", LORA, True, {}),
        ("GRPO", LORA, False, {**ANSWERS, "num_generations": 4}),
        ("OnlineDPO", LORA, False, ANSWERS),
        ("GKD", LORA, False, ANSWERS),
    ],
)
def test_an_estimate_is_what_real_steps_hold(
    method: str,
    tuner: Tuner,
    checkpointing: bool,
    params: dict[str, Any],
    folder: Path,
    tmp_path: Path,
) -> None:
    size = {"global_batch_size": 8, "micro_batch_size": 2, "max_length": 32}
    plan, setting = plan_of(method, tuner, **size, **params), Setting(2, checkpointing)
    told = rehearse(plan, setting, torch.float32, tokenizer(), folder, tmp_path).alone
    real = really(plan, setting, folder)
    assert -0.02 <= told.total / real.total - 1 <= 0.03
    assert told.gradients == real.gradients
    assert told.optimizer == real.optimizer
    assert told.adapter == real.adapter


def test_nothing_of_the_model_is_there(folder: Path, tmp_path: Path) -> None:
    """A model far larger than this machine's memory."""
    from transformers import LlamaConfig

    shape = {"hidden_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 64}
    LlamaConfig(
        architectures=["LlamaForCausalLM"], **shape, intermediate_size=28672
    ).save_pretrained(tmp_path / "model")
    plan = plan_of("SFT", LORA, global_batch_size=1, max_length=512)
    told = rehearse(plan, Setting(1, True), torch.bfloat16, tokenizer(), tmp_path, tmp_path).alone
    assert told.weights > 24 << 30
