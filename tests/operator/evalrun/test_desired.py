"""What cannot be scored is refused at once, without a pod."""

from __future__ import annotations

from typing import Any

import pytest
from operator_builders import decide, ready, resource

DATA = {"dataset": {"uri": "pvc://data/x"}}


@pytest.mark.parametrize(
    ("suite", "says"),
    [
        ({"benchmark": "cevall", **DATA}, "there is no benchmark cevall; did you mean ceval"),
        ({"benchmark": "ceval"}, "the data of benchmark ceval is nowhere named. Bring it by"),
        ({"benchmark": "mmmu", **DATA}, "benchmark mmmu needs pictures"),
        (
            {"benchmark": "perplexity", **DATA, "thresholds": [{"metric": "ppl", "max": 9}]},
            "benchmark perplexity has no metric ppl; its one metric is perplexity",
        ),
    ],
)
def test_a_suite_that_cannot_be_scored(suite: dict[str, Any], says: str) -> None:
    decision = decide(resource("EvalRun", suites=[{"name": "s", **suite}]))
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "InvalidSpec")
    assert f"Suite s: {says}" in message
    assert decision.desired == []
    assert decision.status.run.finished_at
