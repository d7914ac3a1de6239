"""Loads models and tokenizers: from safetensors, without running code that came with them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError, from_os_error
from martlet_runtime.paths import Paths

_UNUSABLE = (ValueError, KeyError, OSError, SafetensorError, StrictDataclassError)
_WRONG_SHAPE = re.compile("mismatched_sizes|size mismatch")
"""How transformers and PEFT word it, in a RuntimeError as want of memory is one."""
REWARD_HEAD = "score"
"""The module that transformers' models for one number end in."""
_MAX_CAUSE = 600
"""Characters of a library's own words that are passed on."""


def load_model(paths: Paths, dtype: torch.dtype, quantization: Any = None) -> Any:
    """The model that stage laid out; an ``adapter`` beside it is merged into it.
    ``quantization`` is transformers' configuration of how to load weights in fewer bits."""
    return _load(AutoModelForCausalLM, paths, dtype, (), quantization_config=quantization)


def load_reward_model(paths: Paths, dtype: torch.dtype, quantization: Any = None) -> Any:
    """The model with a head of one number in place of its own, which is new: none is loaded."""
    return _load(
        AutoModelForSequenceClassification,
        paths,
        dtype,
        (REWARD_HEAD,),
        quantization_config=quantization,
        num_labels=1,
    )


def shape_of_model(folder: Path, dtype: torch.dtype) -> Any:
    """The model of a configuration, on ``meta``: without numbers, so without its weights."""
    return _shape(AutoModelForCausalLM, folder, dtype)


def shape_of_reward_model(folder: Path, dtype: torch.dtype) -> Any:
    return _shape(AutoModelForSequenceClassification, folder, dtype, num_labels=1)


def _shape(auto: Any, folder: Path, dtype: torch.dtype, **more: Any) -> Any:
    with _told(folder.name, "config.json"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **more)
        with torch.device("meta"):
            return auto.from_config(config, dtype=dtype, trust_remote_code=False)


def load_teacher(paths: Paths, dtype: torch.dtype) -> Any:
    """GKD's teacher, as it is."""
    return _weights(AutoModelForCausalLM, paths.inputs / "teacher", dtype, ())


def _load(auto: Any, paths: Paths, dtype: torch.dtype, new: tuple[str, ...], **more: Any) -> Any:
    model = _weights(auto, paths.inputs / "model", dtype, new, **more)
    adapter = paths.inputs / "adapter"
    return merge(model, adapter) if adapter.exists() else model


def _weights(auto: Any, folder: Path, dtype: torch.dtype, new: tuple[str, ...], **more: Any) -> Any:
    """``new``: modules whose weights the files need not have."""
    with _told(folder.name, "config.json"):
        model, info = auto.from_pretrained(
            folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **{key: value for key, value in more.items() if value is not None},
        )
    # transformers would go on with random numbers in their place.
    missing = [name for name in info["missing_keys"] if name.rpartition(".")[0] not in new]
    if missing:
        found = f"its files lack {len(missing)} weights, as {min(missing)}"
        raise _unusable(folder.name, found)
    return model


def merge(model: Any, adapter: Path) -> Any:
    """The model with an adapter's weights added to its own."""
    from peft import PeftModel

    with _told("adapter", "adapter_config.json, or it was made for another model"):
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()


def load_tokenizer(paths: Paths, *, chats: bool = True) -> Any:
    """The model's tokenizer, which must have a way to pad, and a chat template for ``chats``."""
    with _told("model's tokenizer", "tokenizer_config.json"):
        tokenizer = AutoTokenizer.from_pretrained(paths.inputs / "model", trust_remote_code=False)
    if chats and tokenizer.chat_template is None:
        raise UserError(
            Reason.MODEL_INVALID,
            "The model's tokenizer has no chat template, so rows cannot be rendered. Name an "
            "instruction-tuned model, or add chat_template.jinja beside its tokenizer.",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def _told(what: str, config: str) -> Iterator[None]:
    """ModelInvalid for what the libraries raise of broken files; a full disk stays what it is."""
    try:
        yield
    except _UNUSABLE as error:
        if isinstance(error, OSError) and from_os_error(error):
            raise
        cause = " ".join(str(error).split())[:_MAX_CAUSE].rstrip(".")
        raise _unusable(what, f"{_file_kind(error)}{cause}") from error
    except RuntimeError as error:
        if not _WRONG_SHAPE.search(str(error)):
            raise
        raise _unusable(what, f"the shapes of its weights are not those of {config}") from error


def _file_kind(error: Exception) -> str:
    return "a safetensors file is broken: " if isinstance(error, SafetensorError) else ""


def _unusable(what: str, cause: str) -> UserError:
    return UserError(
        Reason.MODEL_INVALID,
        f"The {what} cannot be loaded: {cause}. Bring its files anew if they are broken, or name "
        "one that transformers loads without code of its own.",
    )
