"""Models that cannot be loaded, and adapters merged into those that can."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

Pod = Callable[..., Paths]
WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"


def tiny() -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(1)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=True,
        )
    )  # fmt: skip


def adapted(seed: int) -> Any:
    """A model with an adapter that changes what it says."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    return get_peft_model(tiny(), config).eval()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tiny().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    adapted(2).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def load(paths: Paths) -> Any:
    from martlet_runtime.loading import load_model

    return load_model(paths, torch.float32)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def garble(path: Path) -> None:
    path.write_bytes(b"\xff" * 3000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def configure(name: str, value: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))

    return change


def forget(path: Path) -> None:
    """Leaves one tensor out, as a shard that was never uploaded does."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, {"format": "pt"})


BROKEN: list[tuple[str, Callable[[Path], None], str]] = [
    (WEIGHTS, cut, "safetensors"),
    (WEIGHTS, garble, "safetensors"),
    (WEIGHTS, empty, "safetensors"),
    (WEIGHTS, Path.unlink, WEIGHTS),
    (WEIGHTS, forget, "model.layers.1.mlp.up_proj.weight"),
    ("config.json", lambda path: path.write_text("{") and None, "config.json"),
    ("config.json", configure("hidden_size", 64), "config.json"),
    ("config.json", configure("hidden_size", "many"), "hidden_size"),
    ("config.json", configure("num_hidden_layers", 3), "num_hidden_layers"),
    ("config.json", configure("model_type", "nosuch"), "nosuch"),
]


@pytest.mark.parametrize(("name", "spoil", "told"), BROKEN)
def test_a_model_that_cannot_be_loaded_is_the_users_to_mend(
    model: Path, pod: Pod, name: str, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(model / name)
    with pytest.raises(UserError) as caught:
        load(pod(model=model))
    assert caught.value.reason == Reason.MODEL_INVALID
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        (ADAPTER, cut),
        (ADAPTER, empty),
        (ADAPTER, Path.unlink),
        ("adapter_config.json", Path.unlink),
        ("adapter_config.json", configure("r", 8)),
    ],
)
def test_so_is_an_adapter(
    model: Path, adapter: Path, pod: Pod, name: str, spoil: Callable[[Path], None]
) -> None:
    spoil(adapter / name)
    with pytest.raises(UserError) as caught:
        load(pod(model=model, adapter=adapter))
    assert caught.value.reason == Reason.MODEL_INVALID
    assert "adapter" in caught.value.message


def test_want_of_memory_is_not_taken_for_a_broken_model(
    model: Path, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    from martlet_runtime import loading

    def refuse(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loading.AutoModelForCausalLM, "from_pretrained", refuse)
    with pytest.raises(torch.OutOfMemoryError):
        load(pod(model=model))


def test_a_merged_model_answers_as_the_adapter_does(model: Path, adapter: Path, pod: Pod) -> None:
    tokens = torch.arange(64).unsqueeze(0)
    with torch.no_grad():
        plain = load(pod(model=model))(tokens).logits
        merged = load(pod(model=model, adapter=adapter)).eval()(tokens).logits
        expected = adapted(2)(tokens).logits
    assert (merged - expected).abs().max() < 1e-5
    assert (merged - plain).abs().max() > 1e-3
