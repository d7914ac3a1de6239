"""The suite ``perplexity``: of a text, as the engine that serves sees it.

The tokens go to the engine in windows that do not overlap, and it tells the log-probability of each
token given those before it in its window (vLLM's ``prompt_logprobs``). One script for the model and
its baseline.
"""

import math
from collections.abc import Callable
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan
from martlet_api.evalrun import PERPLEXITY
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate import engine
from martlet_runtime.evaluate.measured import Answers, Measured
from martlet_runtime.evaluate.pairing import SURPRISE
from martlet_runtime.evaluate.samples import Sample, digest

_TIMEOUT_SECONDS = 300


def measure(
    suite: str, plan: EvaluatePlan, tokens: list[int], done: Callable[[int], None]
) -> Answers:
    """``done`` is told the number of windows that were answered. Windows are cut as where models
    are compressed; imported here: that needs torch."""
    from openai import BadRequestError, OpenAI, OpenAIError

    from martlet_runtime.perplexity import WINDOW, windows

    client = OpenAI(base_url=plan.endpoint, api_key="EMPTY", timeout=_TIMEOUT_SECONDS)
    try:
        pieces = windows(tokens, window_of(client, WINDOW))
        surprises = []
        for piece in pieces:
            surprises.append(_surprise(client, plan.served_name, piece))
            done(len(surprises))
    except BadRequestError as error:
        raise _not_told(f": {error}") from error
    except OpenAIError as error:
        raise engine.failed(plan, f"stopped telling probabilities: {error}") from error
    told = _measured(surprises, [len(piece) - 1 for piece in pieces], len(pieces[0]))
    both = enumerate(zip(pieces, surprises, strict=True))
    rows = [_sample(suite, number, piece, surprise) for number, (piece, surprise) in both]
    return Answers([told], len(rows), rows)


def _sample(suite: str, number: int, piece: list[int], surprise: float) -> Sample:
    asked = f"{len(piece)} tokens"
    return Sample(
        suite,
        f"window {number}",
        asked,
        digest(piece),
        "",
        "",
        {SURPRISE: surprise},
        len(piece) - 1,
    )


def window_of(client: Any, most: int) -> int:
    """Tokens a window: the engine's own limit, with room for the token that it must answer, if
    that is less than ``most``. An adapter has its base's."""
    limits = [getattr(served, "max_model_len", None) for served in client.models.list()]
    return min([most, *(int(limit) - 1 for limit in limits if limit)])


def _surprise(client: Any, model: str, piece: list[int]) -> float:
    """The sum of the negative log-probabilities of all tokens of a window but the first, in
    nats."""
    answer = client.completions.create(
        model=model,
        prompt=piece,
        max_tokens=1,
        temperature=0,
        extra_body={"prompt_logprobs": 0},
    )
    told = getattr(answer.choices[0], "prompt_logprobs", None)
    if not told or len(told) != len(piece):
        raise _not_told("")
    return -math.fsum(
        one[str(token)]["logprob"] for one, token in zip(told[1:], piece[1:], strict=True)
    )


def _not_told(why: str) -> UserError:
    return UserError(
        Reason.METRIC_NOT_REPORTED,
        f"The engine does not tell the probabilities of a prompt's tokens{why}, which the "
        "benchmark perplexity needs. Remove the suite, or spec.engine.args that forbid it.",
    )


def _measured(surprises: list[float], counts: list[int], window: int) -> Measured:
    """exp of the mean. The standard error takes windows as drawn alike: that of a ratio of sums,
    by its linearization, times the perplexity (the delta method)."""
    count = sum(counts)
    mean = math.fsum(surprises) / count
    value = math.exp(mean)
    many = len(surprises)
    stderr = None
    if many > 1:
        rest = math.fsum((s - mean * n) ** 2 for s, n in zip(surprises, counts, strict=True))
        stderr = value * math.sqrt(many / (many - 1) * rest) / count
    detail = f"{count} tokens scored, windows of {window}, stride {window}"
    return Measured(PERPLEXITY, value, many, stderr, detail)
