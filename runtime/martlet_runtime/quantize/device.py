"""What models are measured on: the accelerators that torch sees, or the CPU where it sees none."""

from typing import Any

import torch


def is_accelerated() -> bool:
    """As llm-compressor asks it, which works on an accelerator wherever there is one."""
    return torch.accelerator.is_available()


def dtype() -> torch.dtype:
    """What all is measured in."""
    return torch.bfloat16 if is_accelerated() else torch.float32


def capability() -> int | None:
    """The compute capability of the accelerator, as 75 for 7.5; None where CUDA sees none."""
    if not torch.cuda.is_available():
        return None
    major, minor = torch.cuda.get_device_capability()
    return 10 * major + minor


def placed(model: Any) -> Any:
    """The model with its weights on the accelerators, full or as llm-compressor leaves it: on the
    host, from where each layer would be fetched anew for every window. What the accelerators cannot
    hold stays there."""
    if not is_accelerated():
        return model
    from compressed_tensors.offload import dispatch_model

    return dispatch_model(model)
