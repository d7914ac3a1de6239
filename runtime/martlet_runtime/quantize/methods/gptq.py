"""GPTQ: each weight's rounding error is made good by those after it (arXiv 2210.17323)."""

from llmcompressor.modifiers.gptq import GPTQModifier

from martlet_api.quantizedmodel import Rung
from martlet_runtime.quantize.methods import groups


def modifiers(rung: Rung) -> list[GPTQModifier]:
    return [GPTQModifier(config_groups=groups.scheme(rung), ignore=["lm_head"])]
