"""W8A8: int8 weights by channel, by GPTQ; int8 activations by token, as they come."""

from llmcompressor.modifiers.gptq import GPTQModifier

from martlet_api.quantizedmodel import Rung


def modifiers(rung: Rung) -> list[GPTQModifier]:
    return [GPTQModifier(targets="Linear", scheme="W8A8", ignore=["lm_head"])]
