"""What a folder must hold to be a model that Martlet loads."""

import json
from pathlib import Path
from typing import Any

from martlet_api.conditions import Reason
from martlet_runtime.errors import UserError

ADAPTER_CONFIG = "adapter_config.json"
CONFIG = "config.json"
CHAT_TEMPLATE, TOKENIZER_CONFIG = "chat_template.jinja", "tokenizer_config.json"
PLAIN = "safetensors"
_LONGEST = 64
"""Letters that a status has for a format."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def check(files: list[str], uri: str) -> None:
    """ModelInvalid unless there are a configuration and weights as safetensors."""
    names = [Path(name).name for name in files]
    if CONFIG not in names and ADAPTER_CONFIG not in names:
        raise _invalid(f"{uri} has no {CONFIG}, so it is not a model in the Hugging Face layout.")
    if any(name.endswith(".safetensors") for name in names):
        return
    pickles = [name for name in names if name.endswith(_PICKLES)]
    found = f" It has {pickles[0]}, which may hold code and is not loaded." if pickles else ""
    raise _invalid(f"{uri} has no weights as safetensors.{found}")


def has_chat_template(folder: Path) -> bool:
    """Whether its tokenizer has one: in a file of its own, as transformers writes it today, or in
    the tokenizer's configuration, as it did."""
    if (folder / CHAT_TEMPLATE).is_file():
        return True
    path = folder / TOKENIZER_CONFIG
    return path.is_file() and bool(json.loads(path.read_text()).get("chat_template"))


def _invalid(text: str) -> UserError:
    return UserError(
        Reason.MODEL_INVALID, f"{text} Name a model with config.json and *.safetensors."
    )


def format_of(config: dict[str, Any]) -> str:
    """How weights are stored, in the words that engines are chosen by: the quantization's own, or
    safetensors for plain ones."""
    quantization = config.get("quantization_config") or {}
    if "config_groups" in quantization:
        return "compressed-tensors"
    return str(quantization.get("quant_method", PLAIN)).lower()[:_LONGEST]


def config_of(folder: Path) -> dict[str, Any]:
    """The model's configuration; an empty one for a bare adapter."""
    path = folder / CONFIG
    if not path.is_file():
        return {}
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise _invalid(f"{path.name} of the model is not JSON ({error}).") from error
    return config
