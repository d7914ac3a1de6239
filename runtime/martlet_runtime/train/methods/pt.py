"""PT: learns every token of texts (pretraining that goes on), by TRL's SFTTrainer."""

from typing import Any

from martlet_runtime.rendering import render_text
from martlet_runtime.train.methods import sft
from martlet_runtime.train.methods.base import Method, Row


def render(tokenizer: Any, row: Row, max_length: int) -> list[Row]:
    """Texts that are longer than ``max_length`` are split up: nothing is lost."""
    return render_text(tokenizer, row["text"], max_length)


METHOD = Method(render, sft.trainer, sft.longest, chats=False)
