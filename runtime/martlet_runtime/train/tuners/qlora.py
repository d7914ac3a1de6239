"""QLoRA: a LoRA over a base whose weights lie in 4 bits (NF4, double quantization), by
bitsandbytes."""

from dataclasses import replace

import torch
from transformers import BitsAndBytesConfig

from martlet_runtime.train.tuners import lora


def quantization(dtype: torch.dtype) -> BitsAndBytesConfig:
    """``dtype`` is what is computed in."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


TUNER = replace(lora.TUNER, quantization=quantization)
