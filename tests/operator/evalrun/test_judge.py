"""A judge: who gets its key, and that it is part of what makes scores."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from operator_builders import decide, desired, digest, ready, resource, serving, with_artifact

from martlet_api.contract import JUDGE_KEY_ENV

Object = dict[str, Any]

JUDGE = {"endpoint": "https://api.example.com/v1", "model": "wise", "secretRef": {"name": "judge"}}
SUITE = {
    "name": "village",
    "benchmark": "general_qa",
    "dataset": {"uri": "pvc://data/test.jsonl", "digest": digest("test")},
    "judge": {"scoreType": "Pattern"},
}
TUNED = with_artifact("FineTuneJob", "tuned", "tuned")
FROM = {"from": {"kind": "FineTuneJob", "name": "tuned"}}
CHAT = serving("chat", "chat-1", "one")


def run_of(judge: Object | None = JUDGE, suite: Object | None = None, **spec: Any) -> Object:
    """Its data's digest is known, so that it needs no preflight."""
    model = {} if "service" in spec else {"model": FROM}
    return resource("EvalRun", "run", judge=judge, suites=[{**SUITE, **(suite or {})}],
                    **{"model": None, **model, **spec})  # fmt: skip


def pod_of(decision: Any) -> Object:
    (job,) = desired(decision, "Job")
    pod: Object = job["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("spec", [{}, {"service": {"name": "chat"}}, {"baseline": FROM}])
def test_the_key_goes_to_the_scorer_alone_and_by_name(spec: Object) -> None:
    decision = decide(run_of(**spec), [TUNED, CHAT])
    pod = pod_of(decision)
    (scorer,) = pod["containers"]
    key = {"secretKeyRef": {"name": "judge", "key": JUDGE_KEY_ENV}}
    assert {"name": JUDGE_KEY_ENV, "valueFrom": key} in scorer["env"]
    assert JUDGE_KEY_ENV not in json.dumps(pod["initContainers"])
    assert "envFrom" not in json.dumps(pod)
    (plan,) = desired(decision, "ConfigMap")
    assert json.loads(plan["data"]["plan.json"])["evaluate"]["judge"] == {
        **JUDGE,
        "maxTokens": 4096,
    }


def test_a_judge_that_wants_no_key() -> None:
    judge = {"endpoint": "http://judge.team.svc:8080/v1", "model": "judge"}
    assert "secretKeyRef" not in json.dumps(pod_of(decide(run_of(judge), [TUNED])))


def scored_under(live: Object) -> str:
    key = decide(live, [TUNED]).status.scoring
    assert key is not None
    return str(key)


def test_the_judge_and_how_it_is_asked_make_the_scores() -> None:
    own = scored_under(run_of())
    others = [
        run_of({**JUDGE, "endpoint": "https://other.example.com/v1"}),
        run_of({**JUDGE, "model": "wiser"}),
        run_of({**JUDGE, "maxTokens": 99}),
        run_of(suite={"judge": {"promptTemplate": "{pred}?"}}),
        run_of(suite={"judge": {"scoreType": "Numeric"}}),
        run_of(None, {"judge": {"strategy": "Rule"}}),
        run_of(None, {"judge": None}),
    ]
    assert len({own, *map(scored_under, others)}) == len(others) + 1


def test_whose_key_it_is_does_not() -> None:
    other = run_of({**JUDGE, "secretRef": {"name": "another"}})
    assert scored_under(other) == scored_under(run_of())


def test_a_run_without_a_judge_has_the_key_that_it_had() -> None:
    """Written down from the version before there were judges: else all would be scored anew."""
    assert scored_under(run_of(None, {"judge": None})) == (
        "sha256:09c7d254feb0bc69a6f94b20d1c24a20816e96252273bbb7147222bc79e2ca77"
    )


@pytest.mark.parametrize(
    ("suite", "says"),
    [
        ({"benchmark": "simple_qa"}, "the answers of benchmark simple_qa are scored by a judge"),
        ({"benchmark": "frames"}, "say judge: {strategy: Rule}"),
        ({"benchmark": "simple_qa", "judge": {"strategy": "Rule"}}, "has no rules to score by"),
        ({"benchmark": "simple_qa", "judge": {"scoreType": "Numeric"}}, "in its own words; remove"),
    ],
)
def test_what_cannot_be_judged_so_is_refused_before_a_pod(suite: Object, says: str) -> None:
    live = run_of(None, {"judge": None, **suite})
    live["spec"]["suites"] = [{k: v for k, v in live["spec"]["suites"][0].items() if v}]
    decision = decide(copy.deepcopy(live), [TUNED])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "InvalidSpec")
    assert says in message
    assert decision.desired == []
