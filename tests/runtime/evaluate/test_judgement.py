"""What a row of EvalScope's reviews says of its judgement, and where the judge's key may be."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from martlet_api.contract import JUDGE_KEY_ENV, EvaluatePlan
from martlet_api.evalrun import Generation, Suite
from martlet_api.judge import Judge
from martlet_runtime.evaluate import judge, secret

KEY = "sk-NobodyShallSeeThis"
GOOD = {"status": "success", "raw_response": "yes"}
NONSENSE = {"status": "parse_error", "raw_response": "no\n\nidea", "error": "no JSON\n  object"}
BUSY = {"status": "transport_error", "error": "RateLimitError: Error code: 429"}
SUCCESS = {"status": "success", "error": None}


def review(*attempts: Any, summary: Any = None, **metadata: Any) -> dict[str, Any]:
    score = {"judge_summary": summary, "metadata": {"judge_attempts": list(attempts), **metadata}}
    return {"sample_score": {"score": score}}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (review(GOOD, summary=SUCCESS), None),
        (review(GOOD, GOOD, summary=SUCCESS), None),
        (review(NONSENSE, summary={"status": "excluded"}), "no JSON object (no idea)"),
        (review(BUSY, summary={"status": "excluded"}), "RateLimitError: Error code: 429"),
        # What EvalScope counts all the same: rules in the place of a judgement...
        (review(BUSY, summary={"status": "degraded"}), "RateLimitError: Error code: 429"),
        # ... and a row of several judgements of which one has a label that stands in for it.
        (review(GOOD, NONSENSE, summary=SUCCESS), "no JSON object (no idea)"),
        (review(GOOD, summary={"status": "degraded", "error": None}), "degraded"),
        (review(GOOD, summary={"status": "excluded", "error": "no quorum"}), "no quorum"),
        (review(), "it was not asked"),
        (review(summary=None, judge_skipped=True), None),
    ],
)
def test_only_a_judgement_that_went_well_is_a_score(row: dict[str, Any], why: str | None) -> None:
    assert judge.failure(row) == why


def test_of_a_long_answer_the_beginning_is_shown_without_the_key(monkeypatch: Any) -> None:
    """However the text is cut."""
    monkeypatch.setenv(JUDGE_KEY_ENV, KEY)
    for before in range(130, 170):
        said = f"{'x' * before}{KEY} and more"
        found = judge.failure(review({**NONSENSE, "raw_response": said}))
        assert found is not None
        assert found.startswith("no JSON object (xxx")
        assert found.endswith(")")
        assert KEY[:4] not in found


def test_a_judgement_is_word_for_word() -> None:
    assert judge.judgement(review(GOOD, BUSY, NONSENSE)) == "yes\nno\n\nidea"


def plan(**asked: Any) -> tuple[EvaluatePlan, Suite]:
    suite = Suite.model_validate(
        {"name": "s", "benchmark": "general_qa", "dataset": {"uri": "pvc://d/t.jsonl"}, **asked}
    )
    about = Judge(endpoint="http://a/v1", model="wise")
    told = EvaluatePlan(
        endpoint="http://b/v1",
        served_name="m",
        suites=[suite],
        generation=Generation(temperature=0.7, seed=3),
        judge=about,
    )
    return told, suite


@pytest.mark.parametrize("asked", [{}, {"judge": {"strategy": "Rule"}}])
def test_a_suite_that_is_not_judged_asks_for_rules(asked: dict[str, Any]) -> None:
    """EvalScope's own ``auto`` would ask a judge for some benchmarks."""
    assert judge.settings(*plan(**asked)) == {"strategy": "rule"}


def test_the_judge_is_asked_at_temperature_0_whatever_the_model_is(monkeypatch: Any) -> None:
    monkeypatch.delenv(JUDGE_KEY_ENV, raising=False)
    asked = {"scoreType": "Numeric", "promptTemplate": "{pred}?", "systemPrompt": "Judge."}
    found = judge.settings(*plan(judge=asked))
    (model,) = found["models"]
    assert (model["model_id"], model["api_url"], model["api_key"]) == (
        "wise", "http://a/v1", "EMPTY",
    )  # fmt: skip
    assert (model["generation_config"]["temperature"], model["generation_config"]["seed"]) == (0, 3)
    assert found["contract"] == {
        "score_type": "numeric", "prompt_template": "{pred}?", "system_prompt": "Judge.",
    }  # fmt: skip


def test_a_text_is_shown_without_the_key(monkeypatch: Any) -> None:
    monkeypatch.setenv(JUDGE_KEY_ENV, KEY)
    assert secret.hidden(f"Bearer {KEY}.") == "Bearer ***."
    monkeypatch.setenv(JUDGE_KEY_ENV, f"{KEY}\n")
    assert secret.key() == KEY
    assert secret.hidden(f"Bearer {KEY}.") == "Bearer ***."


@pytest.mark.parametrize("empty", ["", "\n", None])
def test_without_a_key_nothing_is_hidden(monkeypatch: Any, empty: str | None) -> None:
    monkeypatch.delenv(JUDGE_KEY_ENV, raising=False)
    if empty is not None:
        monkeypatch.setenv(JUDGE_KEY_ENV, empty)
    assert secret.key() is None
    assert secret.hidden("a text\n") == "a text\n"


def test_what_is_logged_has_no_key(monkeypatch: Any, caplog: Any) -> None:
    """In words, in arguments, and in a traceback."""
    monkeypatch.setenv(JUDGE_KEY_ENV, KEY)
    log = logging.getLogger("some.library")
    with secret.out_of_logs():
        log.warning("sent %s to %s", KEY, "them")
        log.warning(f"sent {KEY} at 100 %")
        try:
            raise ValueError(f"they sent back {KEY}")
        except ValueError:
            log.exception("it failed")
    assert [record.getMessage() for record in caplog.records] == [
        "sent *** to them", "sent *** at 100 %", "it failed",
    ]  # fmt: skip
    assert KEY not in caplog.text
    assert "they sent back ***" in caplog.text
    log.warning("sent %s", KEY)
    assert KEY in caplog.text, "only meanwhile"
