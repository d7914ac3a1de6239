"""The ladder, climbed for real with llm-compressor on a small model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from quantize_builders import AVX2, AVX512, FP8, GPTQ32, GPTQ128, W8A8, W8A16, Ladder
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.quantizedmodel import Rung
from martlet_runtime.data import read_text
from martlet_runtime.engines.formats import Processor
from martlet_runtime.perplexity import perplexity, tokens_of
from martlet_runtime.quantize import rung as subject
from martlet_runtime.quantize.rung import Bench, impossible
from martlet_runtime.quantize.scoring import Score

pytestmark = pytest.mark.torch


def scheme(folder: Path) -> dict[str, Any]:
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    assert config["quant_method"] == "compressed-tensors"
    (group,) = config["config_groups"].values()
    return dict(group)


def test_it_stops_at_the_first_rung_within_the_gate(ladder: Ladder) -> None:
    ended = ladder.climb(GPTQ128, W8A8, W8A16, limit=5, cpu=AVX2)
    assert ended.succeeded
    assert ended.quantize is not None
    first, second = ended.quantize.rungs
    assert (first.passed, first.perplexity) == (False, None)
    assert "avx512f" in str(first.message)
    assert second.method == "W8A8"
    assert second.passed
    assert ladder.gauge(contract.METRIC_RUNG) == 2
    assert ladder.gauge(contract.METRIC_RUNGS) == 3
    assert first.tokens_per_second is None
    assert second.tokens_per_second is not None
    assert ended.quantize.baseline_tokens_per_second is not None
    assert min(second.tokens_per_second, ended.quantize.baseline_tokens_per_second) > 0


def test_the_artifact_is_what_was_measured(ladder: Ladder, village: Path) -> None:
    ended = ladder.climb(W8A8, limit=5)
    assert ended.quantize is not None
    (rung,) = ended.quantize.rungs
    assert ended.quantize.artifact is not None
    assert ended.quantize.artifact.format == "compressed-tensors"
    assert ended.quantize.artifact.bytes < ended.quantize.source_bytes / 2
    weights, activations = (scheme(ladder.artifact)[k] for k in ("weights", "input_activations"))
    assert (weights["num_bits"], weights["type"]) == (8, "int")
    assert (activations["num_bits"], activations["dynamic"]) == (8, True)
    tokenizer = AutoTokenizer.from_pretrained(ladder.artifact)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(ladder.base).chat_template
    model = AutoModelForCausalLM.from_pretrained(ladder.artifact, dtype=torch.float32)
    tokens = tokens_of(tokenizer, read_text(village / "stories.txt", "stories.txt"))
    assert perplexity(model, tokens) == pytest.approx(rung.perplexity, rel=2e-3)
    full = AutoModelForCausalLM.from_pretrained(ladder.base, dtype=torch.float32)
    assert perplexity(full, tokens) == pytest.approx(ended.quantize.baseline_perplexity, rel=1e-4)


def test_a_rung_outside_the_gate_is_recorded_and_the_next_one_tried(ladder: Ladder) -> None:
    ended = ladder.climb(GPTQ32, FP8, limit=0.2)
    assert ended.quantize is not None
    coarse, fine = ended.quantize.rungs
    assert (coarse.method, coarse.group_size, coarse.passed) == ("GPTQ", 32, False)
    assert coarse.increase_percent is not None
    assert coarse.increase_percent > 0.2
    assert (fine.method, fine.passed) == ("FP8", True)
    assert scheme(ladder.artifact)["weights"]["type"] == "float"


def test_a_rung_that_the_library_cannot_do_is_told_and_the_next_one_tried(
    ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress = subject.compress

    def fail_once(wanted: Rung, bench: Any) -> Any:
        if wanted.method == "GPTQ":
            raise ValueError("no mapping\nfor this architecture")
        return compress(wanted, bench)

    monkeypatch.setattr(subject, "compress", fail_once)
    ended = ladder.climb(GPTQ32, FP8, limit=20)
    assert ended.quantize is not None
    first, second = ended.quantize.rungs
    assert (first.passed, second.passed) == (False, True)
    assert first.message == (
        "GPTQ cannot compress this model: ValueError: no mapping for this architecture"
    )


def test_where_none_passes_the_rungs_are_told_and_nothing_is_written(ladder: Ladder) -> None:
    ended = ladder.climb(FP8, GPTQ128, limit=-50, cpu=AVX512)
    assert not ended.succeeded
    assert ended.reason == Reason.NO_RUNG_PASSED
    assert ended.quantize is not None
    assert [rung.method for rung in ended.quantize.rungs] == ["FP8", "GPTQ"]
    assert all(rung.perplexity for rung in ended.quantize.rungs)
    assert ended.quantize.artifact is None
    assert "FP8 +" in ended.message or "FP8 -" in ended.message
    assert list(ladder.artifact.parent.iterdir()) == []
    assert list(ladder.paths.work.glob("rung-*")) == []


def test_source_bytes_are_those_of_the_weights_on_disk(ladder: Ladder) -> None:
    ended = ladder.climb(GPTQ128, limit=5, cpu=AVX2)
    assert ended.quantize is not None
    assert ended.quantize.source_bytes == (ladder.base / "model.safetensors").stat().st_size


def bench(model: torch.nn.Module, where: Processor) -> Bench:
    nothing = Score(1.0, 1.0)
    return Bench(
        lambda _: model, model, torch.float32, None, [], torch.tensor([]), nothing, 5, where
    )


GPU = Processor(None)


@pytest.mark.parametrize(
    ("rung", "inputs", "told"),
    [(GPTQ128, 192, True), (GPTQ32, 192, False), (GPTQ128, 256, False), (W8A8, 192, False)],
)
def test_a_group_that_does_not_divide_a_layer_is_told_before_work(
    rung: Rung, inputs: int, told: bool
) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(inputs, 64))
    message = impossible(rung, bench(model, GPU))
    assert (message is not None) is told
    if message:
        assert "groupSize 128 does not divide the 192 inputs of 0" in message


@pytest.mark.parametrize(("rung", "says"), [(W8A16, "on no CPU"), (GPTQ128, "avx512f")])
def test_an_accelerator_serves_what_a_cpu_does_not(rung: Rung, says: str) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(256, 64))
    assert impossible(rung, bench(model, GPU)) is None
    assert says in str(impossible(rung, bench(model, Processor(AVX2))))
