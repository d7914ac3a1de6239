"""Where a model's layers are."""

from typing import Any

import torch


def layers_of(model: Any) -> Any:
    """The list of modules that most of the weights are in."""
    lists = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m)]
    return max(lists, key=lambda found: sum(weights.nbytes for weights in found.parameters()))
