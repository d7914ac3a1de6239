"""The judge: a model behind an endpoint, which EvalScope asks what each answer is worth.

EvalScope 1.14.1 takes one JSON object for a verdict and anything else for none
(evalscope/api/judge/contracts.py). It asks again where the judge gave no answer, and not where it
answered nonsense, which it would do again at temperature 0. A judgement that failed is then left
out, or replaced by the benchmark's rules where there are any
(evalscope/api/benchmark/adapters/default_data_adapter.py), and would be counted. So every row is
looked at here: one whose judgement failed has no score.
"""

from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import JUDGE_KEY_ENV, EvaluatePlan
from martlet_api.evalrun import Suite
from martlet_api.judge import Judge
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.evaluate import secret

_TIMEOUT_SECONDS = 300
_ATTEMPTS, _PAUSE_SECONDS = 3, 5
"""EvalScope's; for each the client backs off and asks twice more, as Retry-After says."""
_SHOWN = 160
_REFUSED = {
    400: "does not take what it is asked",
    401: "does not take the key",
    403: "does not take the key",
    404: "does not know the model, or is elsewhere",
    422: "does not take what it is asked",
}
"""Statuses that would come again."""


def settings(plan: EvaluatePlan, suite: Suite) -> dict[str, Any]:
    """EvalScope's ``judge`` of a suite."""
    if not suite.is_judged:
        return {"strategy": "rule"}
    assert plan.judge is not None
    model = {
        "model_id": plan.judge.model,
        "api_url": plan.judge.endpoint,
        "api_key": _key(),
        "generation_config": {
            "temperature": 0,
            "seed": plan.generation.seed,
            "max_tokens": plan.judge.max_tokens,
            "timeout": _TIMEOUT_SECONDS,
            "retries": _ATTEMPTS,
            "retry_interval": _PAUSE_SECONDS,
        },
    }
    return {"strategy": "llm", "models": [model], "contract": _contract(suite)}


def _contract(suite: Suite) -> dict[str, Any]:
    assert suite.judge is not None
    asked = suite.judge.model_dump(exclude_none=True, exclude={"strategy"})
    if suite.judge.score_type:
        asked["score_type"] = suite.judge.score_type.lower()
    return asked


def check(plan: EvaluatePlan) -> None:
    """Asks the judge once, before the engine has done anything: a wrong key, model or endpoint is a
    user's error, and one that is not there is worth another try. One that is busy is told row by
    row, if it stays so."""
    if plan.judge is None:
        return
    from openai import APIConnectionError, APIStatusError, OpenAI

    client = OpenAI(base_url=plan.judge.endpoint, api_key=_key(), timeout=_TIMEOUT_SECONDS)
    try:
        client.chat.completions.create(
            model=plan.judge.model,
            messages=[{"role": "user", "content": "Hello"}],
            max_tokens=plan.judge.max_tokens,
            temperature=0,
            seed=plan.generation.seed,
        )
    except APIConnectionError as error:
        raise RetryableError(
            Reason.JUDGE_FAILED,
            f"The judge at {plan.judge.endpoint} cannot be reached: {_told(error)}. It is tried "
            "again.",
        ) from error
    except APIStatusError as error:
        if error.status_code in _REFUSED:
            raise _refusal(plan.judge, error.status_code, _told(error)) from error
        print(f"the judge is asked all the same: {_told(error)}", flush=True)


def _refusal(judge: Judge, status: int, told: str) -> UserError:
    reason = Reason.ACCESS_DENIED if status in (401, 403) else Reason.JUDGE_FAILED
    return UserError(
        reason,
        f"The judge at {judge.endpoint} {_REFUSED[status]}: {told}. {_mend(judge, status)}",
    )


def _mend(judge: Judge, status: int) -> str:
    if status not in (401, 403):
        return "Correct spec.judge."
    if judge.secret_ref is None:
        return f"Name a Secret with the key {JUDGE_KEY_ENV} in spec.judge.secretRef."
    return (
        f"Put one that it takes into Secret {judge.secret_ref.name} as {JUDGE_KEY_ENV}, then set a "
        "new spec.retry."
    )


def judgement(review: dict[str, Any]) -> str:
    """What the judge said of a row, word for word."""
    said = [str(attempt.get("raw_response") or "") for attempt in _attempts(review)]
    return secret.hidden("\n".join(filter(None, said)))


def failure(review: dict[str, Any]) -> str | None:
    """Why a row of EvalScope's reviews has no judgement; None where it has. A row that EvalScope
    need not ask about, by the benchmark's own protocol, has one too."""
    score = review["sample_score"]["score"]
    if score["metadata"].get("judge_skipped"):
        return None
    for attempt in _attempts(review):
        if attempt["status"] != "success":
            return _shown(attempt["error"], attempt.get("raw_response"))
    summary = score.get("judge_summary")
    if summary is None:
        return "it was not asked"
    return None if summary["status"] == "success" else str(summary["error"] or summary["status"])


def _shown(error: str, said: str | None) -> str:
    """In one line, with the beginning of what the judge said."""
    line = _line(error)
    return f"{line} ({_line(said)})" if said else line


def _line(text: str) -> str:
    """Hidden before it is cut: half a key is a key's half."""
    return " ".join(secret.hidden(text).split())[:_SHOWN]


def _attempts(review: dict[str, Any]) -> list[dict[str, Any]]:
    metadata = review["sample_score"]["score"]["metadata"] or {}
    found: list[dict[str, Any]] = metadata.get("judge_attempts", [])
    return found


def _told(error: Exception) -> str:
    return _line(str(error)).rstrip(".")


def _key() -> str:
    """A judge without a Secret asks for none."""
    return secret.key() or "EMPTY"
