"""AutoRound: which way each weight is rounded is learnt, layer by layer (arXiv 2309.05516)."""

import torch
from llmcompressor.modifiers.autoround import AutoRoundModifier

from martlet_api.quantizedmodel import Rung
from martlet_runtime.quantize.methods import groups

DTYPE = torch.bfloat16
"""AutoRound 0.15 turns each layer that it has tuned into bfloat16, on a CPU whatever it was; the
layers after it would then be fed with what they do not take."""


def modifiers(rung: Rung) -> list[AutoRoundModifier]:
    return [
        AutoRoundModifier(
            config_groups=groups.scheme(rung),
            ignore=["lm_head"],
            # Compiling needs a C++ compiler, which the image has not.
            enable_torch_compile=False,
        )
    ]
