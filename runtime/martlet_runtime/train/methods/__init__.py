"""What is learnt: one module a method, in the table ``METHODS``."""

from martlet_runtime.train.methods import (
    cpo,
    dpo,
    gkd,
    grpo,
    kto,
    online_dpo,
    orpo,
    pt,
    reward_model,
    rloo,
    sft,
    simpo,
)
from martlet_runtime.train.methods.base import Method

METHODS: dict[str, Method] = {
    "PT": pt.METHOD,
    "SFT": sft.METHOD,
    "DPO": dpo.METHOD,
    "SimPO": simpo.METHOD,
    "ORPO": orpo.METHOD,
    "KTO": kto.METHOD,
    "CPO": cpo.METHOD,
    "RM": reward_model.METHOD,
    "GRPO": grpo.METHOD,
    "RLOO": rloo.METHOD,
    "OnlineDPO": online_dpo.METHOD,
    "GKD": gkd.METHOD,
}
