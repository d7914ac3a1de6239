"""Rows behind one another without padding: nothing crosses from one to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_builders import lay_out, train_plan, village_rows
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_runtime.rendering import render
from martlet_runtime.report import Report
from martlet_runtime.train import flow

pytestmark = pytest.mark.torch


@torch.no_grad()
def test_attention_does_not_cross_rows(village: Path) -> None:
    """Each row's logits are those that it has alone, whatever lies before it."""
    model = AutoModelForCausalLM.from_pretrained(village / "base", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(village / "base")
    rows = village_rows(village)[:5]
    ids = [torch.tensor(render(tokenizer, row["messages"], 64)["input_ids"]) for row in rows]
    positions = torch.cat([torch.arange(len(row)) for row in ids])[None]
    together = model(
        input_ids=torch.cat(ids)[None], position_ids=positions, use_cache=False
    ).logits[0]
    alone = torch.cat([model(input_ids=row[None]).logits[0] for row in ids])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_the_losses_are_those_of_padded_rows(village: Path, tmp_path: Path) -> None:
    losses = {}
    for packing in ("Enabled", "Disabled"):
        paths = lay_out(tmp_path / packing, village)
        params: dict[str, Any] = {"max_steps": 12, "packing": packing, "micro_batch_size": 8}
        ended = flow.run(train_plan(packing.lower(), hyperparameters=params), paths, Report())
        assert ended.train is not None
        losses[packing] = ended.train.loss
    assert losses["Enabled"] == pytest.approx(losses["Disabled"], abs=1e-3)
