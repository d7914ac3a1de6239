"""What QLoRA's weights take, which bitsandbytes keeps in a form that cannot be pretended."""

from typing import Any

import torch

_BLOCK, _NESTED_BLOCK = 64, 256
"""bitsandbytes' defaults: weights that share a scale, and scales that share one."""


def halve_adapters(model: Any) -> None:
    """TRL keeps the adapters of quantized models in bfloat16."""
    for weights in model.parameters():
        if weights.requires_grad:
            weights.data = weights.data.to(torch.bfloat16)


def saved_bytes(model: Any) -> tuple[int, int]:
    """(bytes that the weights of the inner linear layers are fewer in NF4 than as they are; bytes
    of the largest of them, which is whole while it is multiplied with)."""
    layers = [
        module.weight for path, module in model.named_modules() if _is_quantized(path, module)
    ]
    whole = [weights.numel() * weights.element_size() for weights in layers]
    return sum(whole) - sum(_packed(weights.numel()) for weights in layers), max(whole, default=0)


def _is_quantized(path: str, module: Any) -> bool:
    """Linear layers but the output's and the adapters' own, as transformers chooses them."""
    plain = type(module) is torch.nn.Linear and not path.endswith("lm_head")
    return plain and not module.weight.requires_grad


def _packed(numbers: int) -> int:
    """Half a byte a weight, a byte for each block's scale, and four for each block of scales."""
    blocks = -(-numbers // _BLOCK)
    return -(-numbers // 2) + blocks + 4 * -(-blocks // _NESTED_BLOCK)
