"""What a scoring run says of itself."""

from __future__ import annotations

from typing import Any

import pytest
from operator_builders import NOW, digest, spec_of

from martlet_api.evalrun import (
    Contamination,
    EvalRunSpec,
    EvalRunStatus,
    Measured,
    Overlap,
    Score,
)
from martlet_operator.evalrun.status import outcome

Object = dict[str, Any]
SUITE = "s" * 63
METRICS = [f"{number:02}{'m' * 62}" for number in range(16)]


def measured(value: float) -> Measured:
    scores = [
        Score(suite=SUITE, metric=metric, value=value, stderr=0.001, samples=123456)
        for metric in METRICS
    ]
    return Measured(key=digest("k"), model_digest=digest("m"), scores=scores, at="now", by="us")


def verdict_on(value: float) -> Object:
    """The verdict on scores of the longest names."""
    bound = {"maxIncreasePercent": 12.345, "against": "Baseline", "confidence": 0.95}
    limits = [{"metric": metric, **bound} for metric in METRICS]
    data = {"uri": "pvc://data/t.jsonl"}
    suite = {"name": SUITE, "benchmark": "general_qa", "dataset": data, "thresholds": limits}
    fields = spec_of("EvalRun", suites=[suite], baseline={"uri": "pvc://models/base"})
    overlap = Overlap(
        suite=SUITE,
        rows=999_999,
        trained=999_998,
        lines=[999_999] * 5,
        by=["FineTuneJob/" + "f" * 63] * 64,
    )
    found = Contamination(key=digest("k"), suites=[overlap] * 16)
    status = EvalRunStatus(
        measured=measured(value), baseline=measured(0.5432123), contamination=found
    )
    ended = outcome(EvalRunSpec.model_validate(fields), status, NOW)
    verdict: Object = ended.update["verdict"].to_dict()
    return verdict


@pytest.mark.parametrize(("value", "passed"), [(0.9876543, False), (0.1234567, True)])
def test_a_verdict_on_the_longest_names_is_of_bounded_length(value: float, passed: bool) -> None:
    verdict = verdict_on(value)
    assert verdict["passed"] is passed
    assert 700 < len(verdict["message"]) <= 1024
    assert " more in status.scores. 999998 of 999999 rows of suite " in verdict["message"]
    assert verdict["message"].endswith(": their scores may be memory.")
