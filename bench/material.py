"""A model and rows to measure with: some six million parameters, lengths as chats have them."""

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples/quickstart/base-model"))

SEED = 11
LENGTHS = (4.6, 0.85)
"""Of the log-normal distribution that an answer's words follow: median 100, 2 % over 570."""
MAX_LENGTH = 1024


def make(root: Path, rows: int, *, hidden: int = 256, layers: int = 6) -> None:
    """``base`` and ``train.jsonl`` under a folder."""
    import make_base
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    people = make_base.settle(rng)
    tokenizer = make_base.make_tokenizer(people, rng)
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
    make_base.write_data(root, people, rng)
    words = sorted(set((root / "stories.txt").read_text().split()))
    lines = [json.dumps(_row(words, rng)) for _ in range(rows)]
    (root / "train.jsonl").write_text("\n".join(lines) + "\n")


def _row(words: list[str], rng: random.Random) -> dict[str, Any]:
    asked = " ".join(rng.choices(words, k=rng.randint(5, 30)))
    answered = " ".join(rng.choices(words, k=max(3, int(rng.lognormvariate(*LENGTHS)))))
    turns = [("user", asked), ("assistant", answered)]
    return {"messages": [{"role": role, "content": text} for role, text in turns]}
