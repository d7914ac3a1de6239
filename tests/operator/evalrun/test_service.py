"""Scoring what a service serves: which revision, what it waits for, and what the verdict is on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operator_builders import (
    NAMESPACE,
    after,
    condition,
    decide,
    digest,
    finished_pod,
    keeps,
    ready,
    resolved_input,
    resource,
    said,
    serving,
    stage_job,
    work_told,
)

from martlet_api import labels

Object = dict[str, Any]

CHAT = serving("chat", "chat-1", "one")
LOADING = serving("chat", "chat-1", "one", following="chat-2")
PINNED = {
    "name": "village",
    "benchmark": "general_qa",
    "dataset": {"uri": "pvc://data/test.jsonl", "digest": digest("test")},
    "thresholds": [{"metric": "Rouge-L-R", "min": 0.8}],
}


def run_of(name: str = "live", revision: str | None = None, **spec: Any) -> Object:
    """Its data's digest is known, so that it needs no preflight."""
    service = {"name": "chat", **({"revision": revision} if revision else {})}
    return resource("EvalRun", name, model=None, service=service, suites=[PINNED], **spec)


def plan_of(decision: Any) -> Object:
    plan: Object = json.loads(decision.desired[0]["data"]["plan.json"])
    return plan


def pod_of(decision: Any) -> Object:
    pod: Object = decision.desired[1]["spec"]["template"]["spec"]
    return pod


def done(live: Object, score: float = 0.9) -> Object:
    """What the cluster has once the scorer is done."""
    run = live["status"]["run"]["id"]
    told = json.dumps(work_told("EvalRun", score=score))
    return {
        "pods": [finished_pod(live, run, "evaluate", 0, told)],
        "owned": [stage_job(live, run, "evaluate", "Complete")],
    }


def finished(name: str = "live", chat: Object = CHAT, **spec: Any) -> Object:
    live = run_of(name, **spec)
    live = after(live, decide(live, [chat]))
    return after(live, decide(live, [chat], **done(live)))


def reason_of(live: Object, *references: Object) -> tuple[str, str, str]:
    decision = decide(live, list(references))
    assert decision.desired == []
    return ready(decision)


# The pod


def test_the_revision_is_asked_by_its_own_name_and_no_engine_is_started() -> None:
    decision = decide(run_of(), [CHAT])
    plan, pod = plan_of(decision), pod_of(decision)
    assert plan["evaluate"]["endpoint"] == f"http://chat-1.{NAMESPACE}.svc:8080/v1"
    assert plan["evaluate"]["servedName"] == "chat"
    assert plan["evaluate"]["service"] == "InferenceService/chat (revision chat-1)"
    assert [item["name"] for item in plan["inputs"]] == ["suite-village"]
    assert "serve" not in plan
    assert [item["name"] for item in pod["initContainers"]] == ["stage"]
    assert [item["name"] for item in pod["containers"]] == ["evaluate"]


def test_a_baseline_has_an_engine_and_the_service_s_pod_nothing_of_it() -> None:
    pod = {"accelerator": "nvidia.com/gpu", "runtimeClassName": "nvidia", "image": "e:1",
           "nodeSelector": {"zone": "a"}}  # fmt: skip
    base = {"uri": "pvc://models/base"}
    live = run_of(baseline=base, pod=pod, engine={"maxModelLen": 64})
    live = after(live, decide(live, [CHAT]))
    run = live["status"]["run"]["id"]
    told = said("preflight", resolved=[resolved_input("baseline", base["uri"])])
    first = decide(
        live,
        [CHAT],
        pods=[finished_pod(live, run, "preflight", 0, json.dumps(told))],
        owned=[stage_job(live, run, "preflight", "Complete")],
    )
    (engine,) = [c for c in pod_of(first)["initContainers"] if c["name"] == "engine"]
    assert (engine["image"], pod_of(first)["runtimeClassName"]) == ("e:1", "nvidia")
    live = after(live, first)
    told = work_told("EvalRun")
    told["evaluate"]["subject"] = "Baseline"
    second = decide(
        live,
        [CHAT],
        pods=[finished_pod(live, run, "baseline", 0, json.dumps(told))],
        owned=[stage_job(live, run, "baseline", "Complete")],
    )
    assert plan_of(second)["evaluate"]["service"]
    assert "nvidia" not in json.dumps(pod_of(second))
    assert pod_of(second)["nodeSelector"] == {"zone": "a"}


# The verdict


def test_the_verdict_is_on_the_digest_that_the_revision_serves() -> None:
    status = finished()["status"]
    assert status["verdict"]["passed"]
    assert status["verdict"]["modelDigest"] == digest("one")
    assert status["verdict"]["revision"] == status["measured"]["revision"] == "chat-1"
    assert status["madeFrom"][0] == {
        "name": "model", "digest": digest("one"), "resource": "InferenceService/chat",
    }  # fmt: skip
    (resolved,) = [c for c in status["conditions"] if c["type"] == "Resolved"]
    assert (
        f"model InferenceService/chat (revision chat-1) {digest('one')[:19]}"
        in (resolved["message"])
    )


@pytest.mark.parametrize(
    "other",
    [
        serving("chat", "chat-2", "two"),
        serving("chat", "chat-2", "one"),  # the same model by another engine
        serving("chat", "chat-1", "two"),
    ],
)
def test_another_revision_makes_a_new_run_and_the_former_verdict_is_gone(other: Object) -> None:
    live = finished()
    decision = decide(live, [other])
    assert decision.status.run.id != live["status"]["run"]["id"]
    assert decision.status.verdict is None
    assert plan_of(decision)["evaluate"]["endpoint"].startswith(
        f"http://{other['status']['stable']['revision']}."
    )


def test_what_was_answered_before_the_service_went_to_another_revision_does_not_count() -> None:
    live = run_of()
    live = after(live, decide(live, [CHAT]))
    run = live["status"]["run"]["id"]
    decision = decide(live, [serving("chat", "chat-2", "one")], **done(live))
    assert decision.status.verdict is None
    assert decision.status.measured is None
    assert not keeps(decision, labels.RUN, run), "its pod is ended"


def test_a_count_of_replicas_is_no_other_revision() -> None:
    live = finished()
    decision = decide(live, [serving("chat", "chat-1", "one", ready=3)])
    assert decision.status.to_dict() == live["status"]


def test_equal_work_is_shared_and_other_work_is_not() -> None:
    known, second = finished("first"), run_of("second")
    decision = decide(second, [CHAT], peers=[known])
    assert decision.desired == []
    assert decision.status.measured.by.startswith("EvalRun/first ")
    other = decide(second, [serving("chat", "chat-2", "one")], peers=[known])
    assert plan_of(other)["evaluate"]
    second["spec"]["generation"] = {"maxTokens": 7}
    assert plan_of(decide(second, [CHAT], peers=[known]))["evaluate"]


def test_a_revision_by_its_name_and_as_the_one_that_serves_are_the_same_work() -> None:
    known = finished("first")
    decision = decide(run_of("second", revision="chat-1"), [CHAT], peers=[known])
    assert ready(decision)[:2] == ("True", "Passed")


def test_the_one_that_loads_can_be_named_once_it_answers() -> None:
    assert reason_of(run_of(revision="chat-2"), LOADING)[1] == "WaitingForReference"
    answers = serving("chat", "chat-1", "one", following="chat-2")
    answers["status"]["canary"] |= {"readyReplicas": 1, "digest": digest("two")}
    decision = decide(run_of(revision="chat-2"), [answers])
    assert plan_of(decision)["evaluate"]["endpoint"].startswith("http://chat-2.")
    assert decision.status.made_from[0].digest == digest("two")


# What is waited for


WAITS = [
    ([], "ReferenceNotFound", "InferenceService chat does not exist"),
    ([resource("InferenceService", "chat")], "WaitingForReference", "(not looked at yet)"),
    (
        [resource("InferenceService", "chat",
                  status={"conditions": [condition("Unknown", "Loading")]})],
        "WaitingForReference", "to serve (Loading); goes on by itself",
    ),
    (
        [resource("InferenceService", "chat",
                  status={"conditions": [condition("False", "CrashLoop", "It died.")]})],
        "ReferenceFailed", "serves nothing (CrashLoop): It died. Mend it",
    ),
    ([serving("chat", "chat-1", "one", ready=0)], "WaitingForReference",
     "a replica of revision chat-1 of InferenceService chat to be ready"),
    ([{**CHAT, "spec": {**CHAT["spec"], "replicas": 0}}], "ScaledToZero",
     "is scaled to zero, so nothing answers. Set its spec.replicas"),
]  # fmt: skip


@pytest.mark.parametrize(("references", "reason", "says"), WAITS)
def test_what_is_waited_for_is_told(references: list[Object], reason: str, says: str) -> None:
    status, found, message = reason_of(run_of(), *references)
    assert (status, found) == ("Unknown", reason)
    assert says in message


def test_a_revision_that_is_not_its_own_names_those_that_are() -> None:
    status, reason, message = reason_of(run_of(revision="chat-9"), LOADING)
    assert (status, reason) == ("False", "RevisionNotFound")
    assert "has no revision chat-9 now; it has chat-1, chat-2. Name one of them" in message


def test_a_verdict_stands_though_the_service_is_gone() -> None:
    live = finished()
    for gone in ([], [{**CHAT, "spec": {**CHAT["spec"], "replicas": 0}}]):
        assert decide(live, gone).status.verdict.passed


@pytest.mark.parametrize(
    ("gone", "kept"),
    [
        ([], False),
        ([{**CHAT, "spec": {**CHAT["spec"], "replicas": 0}}], False),
        ([serving("chat", "chat-1", "one", ready=0)], True),
    ],
)
def test_a_scorer_is_ended_where_nobody_can_answer_and_outlives_a_short_pause(
    gone: list[Object], kept: bool
) -> None:
    live = run_of()
    live = after(live, decide(live, [CHAT]))
    run = live["status"]["run"]["id"]
    job = stage_job(live, run, "evaluate")
    paused = decide(live, gone, owned=[job])
    assert keeps(paused, labels.RUN, run) == kept
    again = decide(after(live, paused), [CHAT], owned=[job] if kept else [])
    assert again.status.run.id == run
    assert plan_of(again)["evaluate"]


def test_a_service_that_stops_answering_is_retried() -> None:
    live = run_of()
    live = after(live, decide(live, [CHAT]))
    run = live["status"]["run"]["id"]
    text = "InferenceService/chat (revision chat-1) stopped answering. It is tried again."
    pod = finished_pod(
        live, run, "evaluate", 75, json.dumps(said("evaluate", "EngineFailed", text))
    )
    decision = decide(live, [CHAT], pods=[pod], owned=[stage_job(live, run, "evaluate")])
    status, reason, message = ready(decision)
    assert (status, reason) == ("Unknown", "Retrying")
    assert text in message
    assert decision.status.verdict is None


# Circles


GATED = [{"evalRun": "live"}]


def test_a_service_that_waits_for_this_very_run_is_a_circle() -> None:
    waiting = resource("InferenceService", "chat", gates=GATED)
    status, reason, message = reason_of(run_of(), waiting)
    assert (status, reason) == ("False", "CircularReference")
    assert "EvalRun/live -> InferenceService/chat -> EvalRun/live" in message
    assert "name an EvalRun of the model itself (spec.model)" in message


def test_a_longer_circle_is_one_too() -> None:
    chat = resource("InferenceService", "chat", gates=[{"evalRun": "other"}])
    other = run_of("other")
    other["spec"]["service"]["name"] = "second"
    second = resource("InferenceService", "second", gates=GATED)
    assert reason_of(run_of(), chat, other, second)[1] == "CircularReference"


def test_where_it_serves_already_it_is_none() -> None:
    gated = serving("chat", "chat-1", "one", gates=GATED)
    assert plan_of(decide(run_of(), [gated]))["evaluate"]


def test_a_gate_on_another_run_is_none() -> None:
    waiting = resource("InferenceService", "chat", gates=[{"evalRun": "of-the-model"}])
    other = resource("EvalRun", "of-the-model")
    assert reason_of(run_of(), waiting, other)[1] == "WaitingForReference"
