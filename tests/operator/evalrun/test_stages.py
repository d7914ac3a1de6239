"""The order of a scoring run's work, and that equal work is done once."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from operator_builders import (
    after,
    decide,
    digest,
    finished_pod,
    from_,
    ready,
    resolved_input,
    resource,
    said,
    stage_job,
    with_artifact,
)

Object = dict[str, Any]

SUITES = [
    {
        "name": "village",
        "benchmark": "general_qa",
        "dataset": {"uri": "pvc://data/test.jsonl"},
        "thresholds": [{"metric": "Rouge-L-R", "maxDrop": 0.1, "against": "Baseline"}],
    }
]
TUNED = with_artifact("FineTuneJob", "tuned", "tuned", base="base")
OTHER = with_artifact("FineTuneJob", "other", "other")


def run_of(name: str = "thing", created: str = "2026-01-01T00:00:00Z", **changes: Any) -> Object:
    spec = {"baseline": from_("FineTuneJob", "other"), "suites": SUITES, **changes}
    live = resource("EvalRun", name)
    live["spec"] |= {"model": from_("FineTuneJob", "tuned"), **spec}
    live["metadata"]["creationTimestamp"] = created
    return live


def looked(live: Object, **parts: Any) -> tuple[Object, Any]:
    """The resource after one more pass, and the decision."""
    decision = decide(live, [TUNED, OTHER], **parts)
    return after(live, decision), decision


def ended(live: Object, stage: str, told: Object) -> Object:
    """What the cluster has once a stage's pod is done."""
    run = live["status"]["run"]["id"]
    pod = finished_pod(live, run, stage, 0, json.dumps(told))
    return {"pods": [pod], "owned": [stage_job(live, run, stage, "Complete")]}


def locked(live: Object, peers: list[Object] | None = None) -> tuple[Object, Any]:
    begun, _ = looked(live)
    found = [resolved_input("suite-village", "pvc://data/test.jsonl", "test")]
    told = ended(begun, "preflight", said("preflight", resolved=found))
    return looked(begun, **told, peers=peers or [])


def scores(value: float, subject: str = "Model") -> Object:
    score = {"suite": "village", "metric": "Rouge-L-R", "value": value, "samples": 40}
    return said("evaluate", evaluate={"subject": subject, "scores": [score]})


def stage_of(decision: Any) -> str | None:
    jobs = [item for item in decision.desired if item["kind"] == "Job"]
    return jobs[0]["metadata"]["labels"]["martlet.dev/stage"] if jobs else None


def finished(value: float = 0.9, base: float = 0.8, **changes: Any) -> Object:
    live, _ = locked(run_of(**changes))
    live, _ = looked(live, **ended(live, "baseline", scores(base, "Baseline")))
    live, _ = looked(live, **ended(live, "evaluate", scores(value)))
    return live


def test_the_baseline_is_scored_first_by_an_engine_on_its_own_weights() -> None:
    live, decision = locked(run_of())
    assert stage_of(decision) == "baseline"
    plan = json.loads(decision.desired[0]["data"]["plan.json"])
    assert plan["evaluate"]["subject"] == "Baseline"
    assert [item["name"] for item in plan["inputs"]] == ["model", "suite-village"]
    assert plan["inputs"][0]["digest"] == digest("other")
    pod = decision.desired[1]["spec"]["template"]["spec"]
    assert [item["name"] for item in pod["containers"]] == ["baseline"]
    assert "--enable-lora" not in pod["initContainers"][1]["args"]
    assert live["status"]["scoring"].startswith("sha256:")


def test_then_the_model_and_then_there_is_a_verdict() -> None:
    live, _ = locked(run_of())
    live, decision = looked(live, **ended(live, "baseline", scores(0.8, "Baseline")))
    assert stage_of(decision) == "evaluate"
    assert live["status"]["baseline"]["modelDigest"] == digest("other")
    plan = json.loads(decision.desired[0]["data"]["plan.json"])
    assert [item["name"] for item in plan["inputs"]] == ["model", "adapter", "suite-village"]
    live, decision = looked(live, **ended(live, "evaluate", scores(0.9)))
    status = live["status"]
    assert ready(decision)[:2] == ("True", "Passed")
    assert status["verdict"]["modelDigest"] == digest("tuned")
    assert status["verdict"]["baselineDigest"] == digest("other")
    assert status["verdict"]["key"] == status["measured"]["key"] != status["baseline"]["key"]
    assert (status["scores"][0]["baseline"], status["scores"][0]["passed"]) == (0.8, True)
    assert "scoring" not in status


def test_a_drop_against_the_baseline_is_told() -> None:
    live = finished(value=0.6)
    (ready_,) = [c for c in live["status"]["conditions"] if c["type"] == "Ready"]
    assert ready_["reason"] == "ThresholdNotMet"
    assert "village Rouge-L-R 0.6, more than 0.1 below the baseline's 0.8" in ready_["message"]


@pytest.mark.parametrize(
    ("stage", "code", "message"),
    [("baseline", 137, ""), ("evaluate", 137, ""), ("evaluate", 1, '{"flow": "evaluate", "suc')],
)
def test_a_scoring_that_was_killed_half_way_gives_no_verdict(
    stage: str, code: int, message: str
) -> None:
    live, _ = locked(run_of())
    if stage == "evaluate":
        live, _ = looked(live, **ended(live, "baseline", scores(0.1, "Baseline")))
    run = live["status"]["run"]["id"]
    pods = [finished_pod(live, run, stage, code, message)]
    live, decision = looked(live, pods=pods, owned=[stage_job(live, run, stage, "Failed")])
    assert ready(decision)[:2] == ("False", "PodFailed")
    assert not {"verdict", "measured", "scores"} & live["status"].keys()


def lost(told: Object) -> Object:
    """With a row that got no answer, as no pod of ours tells it."""
    (score,) = told["evaluate"]["scores"]
    return {**told, "evaluate": {**told["evaluate"], "scores": [{**score, "incomplete": 1}]}}


NOTHING = said("evaluate", evaluate={"subject": "Baseline", "scores": []})


@pytest.mark.parametrize(
    ("baseline", "model", "says"),
    [
        (NOTHING, scores(0.9), "the baseline has no such score"),
        (scores(0.1, "Baseline"), said("evaluate", evaluate={"scores": []}), "has no score"),
        (scores(0.1, "Baseline"), lost(scores(0.9)), "1 samples got no answer"),
        (lost(scores(0.1, "Baseline")), scores(0.9), "of the baseline 1 samples got no answer"),
    ],
)
def test_there_is_no_verdict_on_a_part(baseline: Object, model: Object, says: str) -> None:
    live, _ = locked(run_of())
    live, _ = looked(live, **ended(live, "baseline", baseline))
    live, decision = looked(live, **ended(live, "evaluate", model))
    assert ready(decision)[:2] == ("False", "Inconclusive")
    assert says in ready(decision)[2]
    assert "verdict" not in live["status"]
    # Nor for whoever takes these scores over.
    _, decision = locked(run_of("second"), [live])
    assert ready(decision)[1] == "Inconclusive"
    assert decision.status.verdict is None


OUTPUT = {"uri": "pvc://scores"}


def kept(told: Object, text: str) -> Object:
    """With its rows as an artifact."""
    made = {"uri": f"pvc://scores/{text}", "digest": digest(text), "format": "x", "bytes": 9}
    return {**told, "evaluate": {**told["evaluate"], "artifact": made}}


def test_where_rows_are_kept_they_are_compared_one_by_one() -> None:
    suites = copy.deepcopy(SUITES)
    suites[0]["thresholds"][0] |= {"maxDrop": 0.05, "confidence": 0.95}
    live, _ = locked(run_of(output=OUTPUT, suites=suites))
    plans = []
    for stage, value in (("baseline", 0.8), ("evaluate", 0.79)):
        told = scores(value, "Baseline" if stage == "baseline" else "Model")
        told["evaluate"]["scores"][0]["stderr"] = 0.04
        live, decision = looked(live, **ended(live, stage, kept(told, stage)))
        plans.append(json.loads(decision.desired[0]["data"]["plan.json"]))
    run = live["status"]["run"]["id"]
    assert plans[0]["evaluate"]["output"]["uri"] == f"pvc://scores/thing/{run}"
    assert stage_of(decision) == "compare"
    assert [(i["name"], i["digest"]) for i in plans[1]["inputs"]] == [
        ("samples", digest("evaluate")), ("baseline", digest("baseline")),
    ]  # fmt: skip
    assert plans[1]["compare"]["output"]["uri"] == f"pvc://scores/thing/{run}-comparison"
    pairing = {"suite": "village", "metric": "Rouge-L-R", "rows": 40, "worse": 3, "better": 1}
    made = {"uri": "pvc://scores/c", "digest": digest("c"), "format": "x", "bytes": 9}
    # Rows that agree: the difference is far surer than two scores alone.
    told = {"pairings": [{**pairing, "covariance": 0.0015}], "artifact": made}
    live, decision = looked(live, **ended(live, "compare", said("compare", compare=told)))
    assert ready(decision)[:2] == ("True", "Passed")
    (score,) = live["status"]["scores"]
    assert (score["worse"], score["better"]) == (3, 1)


def test_a_baseline_of_another_s_without_rows_is_scored_again_where_rows_are_kept() -> None:
    _, decision = locked(run_of("second", output=OUTPUT), [finished()])
    assert stage_of(decision) == "baseline"


def test_known_scores_need_no_pod() -> None:
    """Of another EvalRun over the same digests: only the thresholds differ."""
    known = finished()
    strict = copy.deepcopy(SUITES)
    strict[0]["thresholds"][0]["maxDrop"] = 0.01
    _, decision = locked(run_of("second", suites=strict), [known])
    assert stage_of(decision) is None
    assert ready(decision)[:2] == ("True", "Passed")
    assert decision.status.measured.by == f"EvalRun/thing {known['status']['run']['id']}"
    assert decision.status.verdict.passed


def test_known_scores_over_data_of_a_known_digest_need_no_pod_at_all() -> None:
    known = finished()
    pinned = copy.deepcopy(SUITES)
    pinned[0]["dataset"]["digest"] = digest("test")
    decision = decide(run_of("second", suites=pinned), [TUNED, OTHER], peers=[known])
    assert decision.desired == []
    assert ready(decision)[:2] == ("True", "Passed")
    assert {link.name: link.digest for link in decision.status.made_from}["suite-village"] == (
        digest("test")
    )
    other = copy.deepcopy(pinned)
    other[0]["dataset"]["digest"] = digest("other test")
    assert stage_of(decide(run_of("third", suites=other), [TUNED, OTHER], peers=[known])) == (
        "baseline"
    )


def test_data_of_a_known_digest_is_brought_by_the_revision_that_is_named() -> None:
    pinned = copy.deepcopy(SUITES)
    source = {"uri": "hf://datasets/a/b/t.jsonl", "revision": "v1", "digest": digest("test")}
    pinned[0]["dataset"] = source
    decision = decide(run_of(suites=pinned), [TUNED, OTHER])
    plan = json.loads(decision.desired[0]["data"]["plan.json"])
    (found,) = [item for item in plan["inputs"] if item["name"] == "suite-village"]
    assert (found["commit"], found["digest"]) == ("v1", digest("test"))


def test_a_baseline_is_known_as_the_model_of_another_run() -> None:
    known = finished()
    swapped = run_of(
        "second", baseline=from_("FineTuneJob", "tuned"), model=from_("FineTuneJob", "other")
    )
    _, decision = locked(swapped, [known])
    assert stage_of(decision) is None
    assert decision.status.scores[0].value == 0.8


def test_other_work_is_done_again() -> None:
    known = finished()
    for change in (
        {"generation": {"maxTokens": 7}},
        {"engine": {"maxModelLen": 64}},
        {"suites": [{**SUITES[0], "dataset": {"uri": "pvc://data/test.jsonl", "maxSamples": 3}}]},
    ):
        _, decision = locked(run_of("second", **change), [known])
        assert stage_of(decision) == "baseline", change


def test_what_another_scores_now_is_waited_for() -> None:
    first, decision = locked(run_of("first"))
    assert stage_of(decision) == "baseline"
    younger = run_of("second", created="2026-01-02T00:00:00Z")
    _, decision = locked(younger, [first])
    status, reason, message = ready(decision)
    assert (status, reason) == ("Unknown", "WaitingForScores")
    assert "EvalRun first scores the same baseline" in message
    assert decision.desired == []
    assert decision.again_after == 5


def test_where_two_began_at_once_the_elder_goes_on() -> None:
    first, _ = locked(run_of("first"))
    second, _ = locked(run_of("second", created="2026-01-02T00:00:00Z"))
    assert first["status"]["scoring"] == second["status"]["scoring"]
    assert stage_of(looked(first, peers=[second])[1]) == "baseline"
    assert ready(looked(second, peers=[first])[1])[1] == "WaitingForScores"


def test_an_elder_waits_for_a_younger_that_began_before() -> None:
    second, _ = locked(run_of("second", created="2026-01-02T00:00:00Z"))
    first, decision = locked(run_of("first"), [second])
    assert ready(decision)[1] == "WaitingForScores"
    assert stage_of(looked(second, peers=[first])[1]) == "baseline"


def test_who_waits_goes_on_where_the_other_gave_up() -> None:
    first, _ = locked(run_of("first"))
    second, _ = locked(run_of("second", created="2026-01-02T00:00:00Z"), [first])
    gone = copy.deepcopy(first)
    gone["status"]["run"]["finishedAt"] = "2026-01-02T00:00:00Z"
    held = {**first, "spec": {**first["spec"], "suspend": True}}
    for peers in ([gone], [held], []):
        assert stage_of(looked(second, peers=peers)[1]) == "baseline"


def test_a_baseline_named_by_uri_is_locked_in_preflight() -> None:
    live, decision = looked(run_of(baseline={"uri": "pvc://models/base"}))
    plan = json.loads(decision.desired[0]["data"]["plan.json"])
    assert [item["name"] for item in plan["inputs"]] == ["baseline", "suite-village"]
    found = [
        resolved_input("baseline", "pvc://models/base", "base"),
        resolved_input("suite-village", "pvc://data/test.jsonl", "test"),
    ]
    _, decision = looked(live, **ended(live, "preflight", said("preflight", resolved=found)))
    assert stage_of(decision) == "baseline"
    plan = json.loads(decision.desired[0]["data"]["plan.json"])
    assert plan["inputs"][0] == {
        **plan["inputs"][0], "name": "model", "digest": digest("base"),
        "uri": "pvc://models/base",
    }  # fmt: skip


def test_a_baseline_that_is_not_there_yet_is_waited_for() -> None:
    live = run_of(baseline=from_("FineTuneJob", "nobody"))
    status, reason, message = ready(decide(live, [TUNED, OTHER]))
    assert (status, reason) == ("Unknown", "ReferenceNotFound")
    assert "FineTuneJob nobody" in message


def test_another_baseline_makes_another_run() -> None:
    live = finished()
    newer = with_artifact("FineTuneJob", "other", "newer")
    decision = decide(live, [TUNED, newer])
    assert decision.status.run.id != live["status"]["run"]["id"]
    assert decision.status.verdict is None
