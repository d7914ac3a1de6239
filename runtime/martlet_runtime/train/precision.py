"""The number format to train in."""

import torch


def dtype_of(precision: str) -> torch.dtype:
    """Auto: bfloat16 on an accelerator that computes in it, float32 elsewhere."""
    if precision == "BF16" or (precision == "Auto" and _accelerator_has_bf16()):
        return torch.bfloat16
    return torch.float32


def _accelerator_has_bf16() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
