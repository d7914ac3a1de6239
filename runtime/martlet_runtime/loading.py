"""Loads models and tokenizers: from safetensors, without running code that came with them."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths


def load_model(paths: Paths, dtype: torch.dtype) -> Any:
    """The model that stage laid out; an ``adapter`` beside it is merged into it."""
    try:
        model = AutoModelForCausalLM.from_pretrained(
            paths.inputs / "model", dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except (ValueError, KeyError, OSError) as error:
        raise _unusable(error) from error
    adapter = paths.inputs / "adapter"
    return merge(model, adapter) if adapter.exists() else model


def merge(model: Any, adapter: Path) -> Any:
    """The model with an adapter's weights added to its own."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()


def load_tokenizer(paths: Paths) -> Any:
    """The model's tokenizer, which must have a chat template and a way to pad."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(paths.inputs / "model", trust_remote_code=False)
    except (ValueError, KeyError, OSError) as error:
        raise _unusable(error) from error
    if tokenizer.chat_template is None:
        raise UserError(
            Reason.MODEL_INVALID,
            "The model's tokenizer has no chat template, so rows cannot be rendered. Name an "
            "instruction-tuned model, or add chat_template.jinja beside its tokenizer.",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _unusable(error: Exception) -> UserError:
    return UserError(
        Reason.MODEL_INVALID,
        f"The model cannot be loaded: {error}. Name a model that transformers loads without code "
        "of its own.",
    )
