"""A text's tokens from the engine that serves, where its model is not at hand.

vLLM's ``/tokenize`` is at the root of its port, uses the very tokenizer that the engine was started
with, and has no limit of length (vllm/entrypoints/serve/tokenize, 0.32): the ids are those that
transformers gives for the model's folder, without special tokens.
"""

from collections.abc import Iterator

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate import engine

_TIMEOUT_SECONDS = 300
_CHARACTERS = 8
"""Of a text are sent first, for each token that is wanted; twice as many if they do not do."""
_SPARE = 1.1
"""So many more tokens than are wanted: the last of a text that was cut may not be the whole's."""


def tokens_of(plan: EvaluatePlan, text: str) -> list[int]:
    """The first tokens of a text, at least two. Imported here: it needs torch."""
    from martlet_runtime.perplexity import MAX_TOKENS, enough

    for piece in _beginnings(text, _CHARACTERS * MAX_TOKENS):
        found = _asked(plan, piece)
        if len(found) > _SPARE * MAX_TOKENS:
            break
    return enough(found[:MAX_TOKENS])


def _beginnings(text: str, size: int) -> Iterator[str]:
    """Longer and longer ones; the whole text is the last."""
    while size < len(text):
        yield text[:size]
        size *= 2
    yield text


def _asked(plan: EvaluatePlan, text: str) -> list[int]:
    from openai import APIStatusError, OpenAI, OpenAIError

    root = plan.endpoint.removesuffix("/v1")
    client = OpenAI(base_url=root, api_key="EMPTY", timeout=_TIMEOUT_SECONDS)
    body = {"model": plan.served_name, "prompt": text, "add_special_tokens": False}
    try:
        answer = client.post("/tokenize", body=body, cast_to=object)
    except APIStatusError as error:
        if error.status_code < 500:
            raise _not_told(plan, str(error)) from error
        raise engine.failed(plan, f"stopped telling tokens: {error}") from error
    except OpenAIError as error:
        raise engine.failed(plan, f"stopped telling tokens: {error}") from error
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    if not isinstance(tokens, list):
        raise _not_told(plan, "it sent no tokens")
    return tokens


def _not_told(plan: EvaluatePlan, why: str) -> UserError:
    return UserError(
        Reason.METRIC_NOT_REPORTED,
        f"{engine.named(plan)} does not tell a text's tokens ({why}), which the benchmark "
        "perplexity needs. Remove the suite, or score the model itself by spec.model.",
    )
