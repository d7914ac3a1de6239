"""A model of nine million parameters that has learnt sayings by heart, and says them on when asked.

Some are told more often than others, so that it knows some well, some barely and some not: a score
over all of them tells what compression takes away. All of it is drawn from a seed: sayings of
made-up words, told as text and asked for in chats.
"""

import json
import random
from pathlib import Path
from typing import Any

import material  # noqa: F401 - finds make_base
import torch
from jinja2 import Template
from make_base import END, START, STOP, SYLLABLES, fit, make_model, tokenizer_of

SEED = 11
WORDS, SAYINGS, GIVEN, LEFT = 150, 300, 4, 6
"""Of a saying's words the first GIVEN are asked with, the LEFT ones are the answer."""
COMMON = 30
"""The saying of rank r is told 1 / (COMMON + r) times as often as others."""
HIDDEN, INNER, LAYERS = 640, 1792, 2
"""Heads of 64, which the engine's attention wants, and widths that groups of 128 divide."""
CONTEXT = 256
STEPS, ROWS, RATE = 350, 2, 1.5e-3
TOLD, ASKED = 23, 19
"""Sayings of a text, and of a chat: as many as fill the context."""
CALIBRATION, TEXTS = 24, 32
"""Chats, and texts for the perplexity."""
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}" + START + "{% endif %} {{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}" + STOP + "\n{% endif %}{% endfor %}"
)
"""An answer goes on right where its question ends, as a text does: what was learnt of the one is
known of the other, so that minutes of training are enough."""
Saying = list[str]


def make(root: Path) -> None:
    """``model``, ``test.jsonl`` (general_qa), ``calibration.jsonl`` and ``text.txt`` of a folder.

    The weights are stored in bfloat16, as most models' are.
    """
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    words = rng.sample([a + b for a in SYLLABLES for b in SYLLABLES if a != b], WORDS)
    sayings = [rng.choices(words, k=GIVEN + LEFT) for _ in range(SAYINGS)]
    tokenizer = tokenizer_of([part for _ in range(500) for part in texts(sayings, rng, 2)])
    tokenizer.chat_template = TEMPLATE
    model = make_model(tokenizer, hidden=HIDDEN, inner=INNER, layers=LAYERS, context=CONTEXT)
    print(f"training {model.num_parameters() / 1e6:.1f} M parameters", flush=True)
    fit(model, tokenizer, lambda: texts(sayings, rng, ROWS), STEPS, RATE, CONTEXT)
    model.to(torch.bfloat16).save_pretrained(root / "model")
    tokenizer.save_pretrained(root / "model")
    write(root / "test.jsonl", [question(saying) for saying in sayings])
    write(root / "calibration.jsonl", [chat(sayings, rng) for _ in range(CALIBRATION)])
    (root / "text.txt").write_text(" ".join(text(sayings, rng) for _ in range(TEXTS)))


def texts(sayings: list[Saying], rng: random.Random, rows: int) -> list[str]:
    """What it is trained on: half of it text, half of it chats."""
    return [
        (rendered(chat(sayings, rng)) if rng.random() < 0.5 else text(sayings, rng)) + END
        for _ in range(rows)
    ]


def text(sayings: list[Saying], rng: random.Random) -> str:
    return " ".join(" ".join(saying) + "." for saying in told(sayings, rng, TOLD))


def told(sayings: list[Saying], rng: random.Random, number: int) -> list[Saying]:
    """As often as their rank has it."""
    weights = [1 / (COMMON + rank) for rank in range(len(sayings))]
    return rng.choices(sayings, weights, k=number)


def chat(sayings: list[Saying], rng: random.Random) -> dict[str, Any]:
    asked = [question(saying) for saying in told(sayings, rng, ASKED)]
    turns = [
        {"role": role, "content": row[key]}
        for row in asked
        for role, key in (("user", "query"), ("assistant", "response"))
    ]
    return {"messages": turns}


def question(saying: Saying) -> dict[str, str]:
    return {"query": " ".join(saying[:GIVEN]), "response": " ".join(saying[GIVEN:])}


def rendered(row: dict[str, Any]) -> str:
    return str(Template(TEMPLATE, keep_trailing_newline=True).render(**row))


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
