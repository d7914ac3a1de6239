"""A model and rows to measure with: some six million parameters, lengths as chats have them."""

import importlib.util
import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

SCRIPT = Path(__file__).resolve().parents[1] / "examples/quickstart/base-model/make_base.py"
SEED = 11
LENGTHS = (4.6, 0.85)
"""Of the log-normal distribution that an answer's words follow: median 100, 2 % over 570."""
MAX_LENGTH = 1024


def make(root: Path, rows: int, *, hidden: int = 256, layers: int = 6) -> None:
    """``base`` and ``train.jsonl`` under a folder."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(SEED)
    rng, quickstart = random.Random(SEED), _quickstart()
    people = quickstart.settle(rng)
    tokenizer = quickstart.make_tokenizer(people, rng)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=2 * MAX_LENGTH,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(root / "base")
    tokenizer.save_pretrained(root / "base")
    words = sorted(
        {word for text in _texts(quickstart, root, people, rng) for word in text.split()}
    )
    lines = [json.dumps(_row(words, rng)) for _ in range(rows)]
    (root / "train.jsonl").write_text("\n".join(lines) + "\n")


def _texts(quickstart: ModuleType, root: Path, people: Any, rng: random.Random) -> list[str]:
    quickstart.write_data(root, people, rng)
    return (root / "stories.txt").read_text().splitlines()


def _row(words: list[str], rng: random.Random) -> dict[str, Any]:
    asked = " ".join(rng.choices(words, k=rng.randint(5, 30)))
    answered = " ".join(rng.choices(words, k=max(3, int(rng.lognormvariate(*LENGTHS)))))
    turns = [("user", asked), ("assistant", answered)]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def _quickstart() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_base", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
