"""Each method compresses a small model for real, and transformers reads what it wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from llmcompressor import oneshot
from quantize_builders import Ladder
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api.quantizedmodel import Rung
from martlet_runtime.data import read_text
from martlet_runtime.engines import formats
from martlet_runtime.engines.formats import Processor
from martlet_runtime.perplexity import perplexity, tokens_of
from martlet_runtime.quantize import flow
from martlet_runtime.quantize.methods import METHODS

pytestmark = pytest.mark.torch

T4 = Processor(None, 75)
INT4_GROUPS = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
INT8_GROUPS = {"num_bits": 8, "type": "int", "strategy": "group", "group_size": 128}
CHANNELS = {"num_bits": 8, "strategy": "channel"}
BY_TOKEN = {"num_bits": 8, "strategy": "token", "dynamic": True}


@pytest.mark.parametrize(
    ("rung", "weights", "activations", "least"),
    [
        (Rung(method="AWQ", group_size=32), INT4_GROUPS, None, 3.5),
        (Rung(method="AutoRound", group_size=32), INT4_GROUPS, None, 3.5),
        (Rung(method="GPTQ", bits=4, group_size=32), INT4_GROUPS, None, 3.5),
        (Rung(method="GPTQ", bits=8), INT8_GROUPS, None, 2.4),
        (Rung(method="FP8"), {**CHANNELS, "type": "float"}, {**BY_TOKEN, "type": "float"}, 2.4),
        (Rung(method="W8A8"), {**CHANNELS, "type": "int"}, {**BY_TOKEN, "type": "int"}, 2.4),
        (Rung(method="W8A16"), {**CHANNELS, "type": "int"}, None, 2.4),
    ],
    ids=lambda value: f"{value.method}{value.bits or ''}" if isinstance(value, Rung) else "",
)
def test_a_method_compresses_and_transformers_reads_it(
    ladder: Ladder,
    village: Path,
    monkeypatch: pytest.MonkeyPatch,
    rung: Rung,
    weights: dict[str, Any],
    activations: dict[str, Any] | None,
    least: float,
) -> None:
    """``least``: how many times smaller than in full precision the layers must have become."""
    monkeypatch.setattr(flow, "processor", lambda **_: T4)
    ended = ladder.climb(rung, limit=20)
    assert ended.succeeded, ended.message
    assert ended.quantize is not None
    (tried,) = ended.quantize.rungs
    assert (tried.method, tried.passed) == (rung.method, True)
    (group,) = _quantization(ladder.artifact)["config_groups"].values()
    assert {name: group["weights"][name] for name in weights} == weights
    found = group["input_activations"]
    assert (found and {name: found[name] for name in activations or {}}) == activations
    assert formats.format_of(_config(ladder.artifact)) is formats.of_rung(rung)

    model = AutoModelForCausalLM.from_pretrained(ladder.artifact, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(ladder.artifact)
    tokens = tokens_of(tokenizer, read_text(village / "stories.txt", "stories.txt"))
    measured = perplexity(model, tokens)
    assert math.isfinite(measured)
    assert measured == pytest.approx(tried.perplexity, rel=2e-3)
    full = AutoModelForCausalLM.from_pretrained(ladder.base, dtype=torch.float32)
    kept = sum(p.numel() * 4 for n, p in full.named_parameters() if "proj" not in n)
    layers = sum(p.numel() * 4 for n, p in full.named_parameters() if "proj" in n)
    written = (ladder.artifact / "model.safetensors").stat().st_size
    assert layers / (written - kept) > least


def test_all_methods_of_the_api_are_in_the_table() -> None:
    assert set(METHODS) == set(Rung.model_json_schema()["properties"]["method"]["enum"])


@pytest.mark.skipif(torch.accelerator.is_available(), reason="an accelerator can pin memory")
def test_awq_as_llm_compressor_has_it_still_fails_without_an_accelerator(ladder: Ladder) -> None:
    """Once this one fails, the subclass in methods/awq.py has become needless."""
    from datasets import Dataset
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier

    rows = Dataset.from_list([{"input_ids": [1, 2, 3, 4], "attention_mask": [1] * 4}])
    scheme = QuantizationModifier(targets="Linear", scheme="W4A16", ignore=["lm_head"])
    with pytest.raises(RuntimeError, match=r"accelerator|NVIDIA|CUDA"):
        oneshot(
            model=AutoModelForCausalLM.from_pretrained(ladder.base, dtype=torch.float32),
            recipe=[AWQModifier(), scheme],
            dataset=rows,
            num_calibration_samples=1,
            max_seq_length=4,
        )


def _config(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config.json").read_text()))


def _quantization(folder: Path) -> dict[str, Any]:
    return dict(_config(folder)["quantization_config"])
