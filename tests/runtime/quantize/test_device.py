"""Models are measured where there is an accelerator: what of it can be seen without one."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from compressed_tensors import offload
from quantize_builders import W8A8, Ladder
from transformers import AutoModelForCausalLM

from martlet_runtime.perplexity import perplexity
from martlet_runtime.quantize import device
from martlet_runtime.quantize.scoring import score

pytestmark = pytest.mark.torch


@pytest.fixture
def accelerated(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """As if there were an accelerator: models are dispatched for real, onto the CPU, which is where
    the library dispatches to if it sees none. Returns the models that were."""
    dispatched: list[Any] = []
    dispatch = offload.dispatch_model

    def dispatch_and_note(model: Any) -> Any:
        dispatched.append(model)
        return dispatch(model)

    monkeypatch.setattr(device, "is_accelerated", lambda: True)
    monkeypatch.setattr(offload, "dispatch_model", dispatch_and_note)
    return dispatched


def on_devices(model: torch.nn.Module) -> bool:
    """Whether its weights are where a dispatch put them, and so is what goes through them."""
    linear = [each for each in model.modules() if isinstance(each, torch.nn.Linear)]
    return all(hasattr(each, "_original_forward_func") for each in linear)


def test_without_an_accelerator_a_model_stays_as_it_is(ladder: Ladder) -> None:
    if torch.accelerator.is_available():
        pytest.skip("there is one")
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert device.placed(model) is model
    assert not on_devices(model)
    assert (device.dtype(), device.capability()) == (torch.float32, None)


def test_full_and_compressed_model_are_placed_before_they_are_measured(
    ladder: Ladder, accelerated: list[Any]
) -> None:
    ended = ladder.climb(W8A8, limit=20)
    assert ended.succeeded, ended.message
    assert len(accelerated) == 2
    assert all(map(on_devices, accelerated))
    assert {model.dtype for model in accelerated} == {torch.bfloat16}
    model = AutoModelForCausalLM.from_pretrained(ladder.artifact, dtype=torch.bfloat16)
    assert not any(each.device.type == "meta" for each in model.parameters()), "written whole"


def test_a_placed_model_measures_as_one_that_is_not(ladder: Ladder, accelerated: list[Any]) -> None:
    tokens = torch.arange(2, 400) % 500
    plain, placed = (
        AutoModelForCausalLM.from_pretrained(ladder.base, dtype=torch.float32) for _ in range(2)
    )
    assert score(placed, tokens).perplexity == pytest.approx(perplexity(plain, tokens), rel=1e-6)
    assert accelerated == [placed]


class Spread:
    """A model that begins on one device and ends on another, and thinks all tokens alike."""

    device = torch.device("meta")
    config = SimpleNamespace(max_position_embeddings=8)
    words = 10

    def eval(self) -> None:
        """It has but one way to be."""

    def __call__(self, input_ids: torch.Tensor) -> Any:
        assert input_ids.device == self.device
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, self.words))


def test_tokens_go_where_a_model_begins_and_are_compared_where_it_ends() -> None:
    assert math.isclose(perplexity(Spread(), torch.arange(20) % 10), Spread.words, rel_tol=1e-6)
