"""Rows behind one another without padding: nothing crosses from one to the next."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from trainer_builders import lay_out, train_plan
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)

from martlet_runtime.errors import UserError
from martlet_runtime.report import Report
from martlet_runtime.train import flow, packed_attention

pytestmark = pytest.mark.torch


SHAPE: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
FAMILIES = {
    "Qwen2": Qwen2Config(**SHAPE),
    "Llama": LlamaConfig(**SHAPE),
    "Mistral with a window": MistralConfig(**SHAPE, sliding_window=4),
    "Gemma 3 with a window": Gemma3TextConfig(**SHAPE, sliding_window=4, sliding_window_pattern=2),
}
LENGTHS = (7, 1, 12, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_does_not_cross_rows(family: str) -> None:
    """Each row's logits and gradients are those that it has alone, whatever lies before it."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(FAMILIES[family])
    rows = [torch.randint(3, 40, (length,)) for length in LENGTHS]
    alone = torch.cat([model(input_ids=row[None]).logits[0] for row in rows])
    alone.square().mean().backward()
    gradients = _taken(model)
    packed_attention.keep_apart(model)
    together = model(**_packed(rows)).logits[0]
    together.square().mean().backward()
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(_taken(model), gradients, atol=1e-6, rtol=1e-4)


@torch.no_grad()
def test_other_passes_are_as_before() -> None:
    """Padded rows, and answers one token after another."""
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(FAMILIES["Qwen2"]).eval()
    ids = torch.randint(3, 40, (2, 9))
    mask = torch.tensor([[0, 0, *[1] * 7], [1] * 9])

    def answers() -> tuple[torch.Tensor, torch.Tensor]:
        logits = model(input_ids=ids, attention_mask=mask).logits
        return logits, model.generate(ids, attention_mask=mask, max_new_tokens=5, do_sample=False)

    before = answers()
    packed_attention.keep_apart(model)
    torch.testing.assert_close(answers(), before)


def test_no_mask_of_all_by_all_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForCausalLM.from_config(FAMILIES["Llama"])
    packed_attention.keep_apart(model)
    seen = []
    real = packed_attention.sdpa_attention_forward

    def watched(module: Any, query: Any, key: Any, value: Any, mask: Any, **given: Any) -> Any:
        seen.append((query.shape[2], mask))
        return real(module, query, key, value, mask, **given)

    monkeypatch.setattr(packed_attention, "sdpa_attention_forward", watched)
    model(**_packed([torch.arange(3, 3 + length) for length in LENGTHS]))
    assert seen == [(length, None) for length in LENGTHS] * SHAPE["num_hidden_layers"]


def test_an_accelerator_takes_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its kernel is asked for; the kernel itself is not run here."""
    asked = {}

    def kernel(query: Any, key: Any, value: Any, *bounds: Any, **settings: Any) -> torch.Tensor:
        asked.update(shapes=(query.shape, key.shape), bounds=bounds, **settings)
        return query

    inspect.signature(packed_attention.varlen_attn).bind(*range(7), scale=1, window_size=1)
    monkeypatch.setattr(packed_attention, "varlen_attn", kernel)
    states = (torch.ones(1, 4, 8, 16), torch.ones(1, 2, 8, 16), torch.ones(1, 2, 8, 16))
    bounds = torch.tensor([0, 3, 8], dtype=torch.int32)
    out = packed_attention.at_once(states, bounds, 5, 4, 0.25)
    assert out.shape == (1, 8, 4, 16)
    assert asked["shapes"] == ((8, 4, 16), (8, 2, 16))
    assert asked["bounds"] == (bounds, bounds, 5, 5)
    assert (asked["scale"], asked["window_size"], asked["enable_gqa"]) == (0.25, (3, 0), True)


def test_a_model_whose_layers_carry_a_state_is_not_packed() -> None:
    model = SimpleNamespace(
        config=SimpleNamespace(
            _attn_implementation="sdpa", layer_types=["linear_attention", "full_attention"]
        )
    )
    assert not packed_attention.can_pack(model)
    with pytest.raises(UserError, match="packing Enabled: SimpleNamespace has layers"):
        packed_attention.keep_apart(model)


def _packed(rows: list[torch.Tensor]) -> dict[str, Any]:
    positions = torch.cat([torch.arange(len(row)) for row in rows])[None]
    return {"input_ids": torch.cat(rows)[None], "position_ids": positions, "use_cache": False}


def _taken(model: Any) -> dict[str, torch.Tensor]:
    found = {name: weights.grad.clone() for name, weights in model.named_parameters()}
    model.zero_grad()
    return found


def test_the_losses_are_those_of_padded_rows(village: Path, tmp_path: Path) -> None:
    losses = {}
    for packing in ("Enabled", "Disabled"):
        paths = lay_out(tmp_path / packing, village)
        params: dict[str, Any] = {"max_steps": 12, "packing": packing, "micro_batch_size": 8}
        ended = flow.run(train_plan(packing.lower(), hyperparameters=params), paths, Report())
        assert ended.train is not None
        losses[packing] = ended.train.loss
    assert losses["Enabled"] == pytest.approx(losses["Disabled"], abs=1e-3)
