"""Where a service can be, and what is decided there."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from operator_builders import (
    NOW,
    RUNNING,
    SETTINGS,
    after,
    artifact,
    condition,
    container_status,
    decide,
    desired,
    digest,
    ended,
    finished_pod,
    from_,
    keeps,
    pod,
    preflight_told,
    ready,
    resource,
    said,
    stage_job,
    started,
    waiting,
    with_artifact,
)

from martlet_api import labels
from martlet_operator.naming import owned_labels
from martlet_operator.reconcile import kinds
from martlet_operator.reconcile.decision import Decision, pruned

Object = dict[str, Any]
ENDPOINT = {"gateway": {"name": "gw"}, "hostnames": ["a.example.com"]}
PART = ("martlet.dev/part", "endpoint")


def service(**spec: Any) -> Object:
    return resource("InferenceService", "chat", model=from_("FineTuneJob", "tune"), **spec)


def model(text: str = "one") -> Object:
    return with_artifact("FineTuneJob", "tune", text)


def revision_of(decision: Decision) -> str:
    (deployment,) = desired(decision, "Deployment")
    return str(deployment["metadata"]["name"])


def deployment(live: Object, revision: str, ready: int = 1) -> Object:
    return {
        "kind": "Deployment",
        "metadata": {
            "name": revision,
            "labels": owned_labels("InferenceService", "chat", revision=revision),
        },
        "spec": {"template": {"spec": {"initContainers": [{"name": "stage"}]}}},
        "status": {"readyReplicas": ready},
    }


def route(revision: str, accepted: str | None = "True", generation: int = 1) -> Object:
    said = {"type": "Accepted", "status": accepted, "observedGeneration": generation}
    parents = [{"conditions": [{**said, "reason": "NoMatch", "message": "no listener"}]}]
    return {
        "kind": "HTTPRoute",
        "metadata": {
            "name": "chat",
            "generation": 1,
            "labels": owned_labels("InferenceService", "chat", part="endpoint"),
        },
        "spec": {"rules": [{"backendRefs": [{"name": revision, "weight": 100}]}]},
        "status": {"parents": parents if accepted else []},
    }


def engine_pod(revision: str, status: Object, stage: Object | None = None) -> Object:
    marks = owned_labels("InferenceService", "chat", revision=revision)
    init = [stage] if stage else []
    return pod(marks, containers=[status], init=init)


def serving(**spec: Any) -> tuple[Object, str, list[Object]]:
    """A service that serves: resource, revision, owned objects."""
    live = service(**spec)
    revision = revision_of(decide(live, [model()]))
    owned = [deployment(live, revision)]
    if "endpoint" in spec:
        owned.append(route(revision))
    decision = decide(live, [model()], owned=owned)
    assert ready(decision)[1] == "Serving"
    return after(live, decision), revision, owned


# The model and the gates


def test_a_model_by_uri_is_resolved_by_preflight() -> None:
    live, run = started(resource("InferenceService", "chat"))
    first = decide(live)
    assert ready(first)[:2] == ("Unknown", "Resolving")
    told = json.dumps(preflight_told("InferenceService"))
    done = finished_pod(live, run, "preflight", 0, told)
    job = stage_job(live, run, "preflight", "Complete")
    decision = decide(live, pods=[done], owned=[job])
    assert ready(decision)[1] == "Loading"
    assert decision.status.made_from[0].digest == digest("model")
    assert keeps(decision, labels.RUN, run)


def test_a_model_that_is_not_there() -> None:
    live, run = started(resource("InferenceService", "chat"))
    told = json.dumps(said("preflight", "ModelNotFound", "pvc://models/base holds no model."))
    done = finished_pod(live, run, "preflight", 65, told)
    decision = decide(live, pods=[done], owned=[stage_job(live, run, "preflight", "Failed")])
    assert ready(decision) == ("False", "ModelNotFound", "pvc://models/base holds no model.")


def test_a_retry_resolves_again_while_the_former_serves() -> None:
    live, run = started(resource("InferenceService", "chat"))
    changed = {**live, "spec": {**live["spec"], "retry": "again"}}
    decision = decide(changed)
    assert decision.status.run.id != run
    assert ready(decision)[1] == "Resolving"


def verdict(text: str, passed: bool) -> Object:
    return {"passed": passed, "modelDigest": digest(text), "at": "2026-01-01T00:00:00Z"}


GATES = [
    (None, "Unknown", "ReferenceNotFound"),
    ({}, "Unknown", "WaitingForGate"),
    ({"conditions": [condition("Unknown", "Evaluating")]}, "Unknown", "WaitingForGate"),
    ({"conditions": [condition("False", "EngineFailed")]}, "False", "WaitingForGate"),
    ({"verdict": verdict("one", False)}, "False", "GateNotPassed"),
    ({"verdict": verdict("another", True)}, "Unknown", "WaitingForGate"),
    ({"verdict": verdict("one", True)}, "Unknown", "Loading"),
]


@pytest.mark.parametrize(("status", "expected", "reason"), GATES)
def test_gates(status: Object | None, expected: str, reason: str) -> None:
    live = service(gates=[{"evalRun": "gate"}])
    gate = [] if status is None else [resource("EvalRun", "gate", status=status)]
    decision = decide(live, [model(), *gate])
    assert ready(decision)[:2] == (expected, reason)
    assert bool(decision.desired) == (reason == "Loading")


@pytest.mark.parametrize("before", [False, True])
def test_a_gate_on_what_it_serves_itself_is_a_circle(before: bool) -> None:
    """Whether it serves nothing yet, or another model: the next cannot be scored before it
    serves."""
    gates = [{"evalRun": "gate"}]
    live, owned = service(gates=gates), []
    if before:
        live, _, owned = serving()
        live["spec"] = {**live["spec"], "gates": gates}
    known = {"verdict": verdict("one", True)} if before else {}
    gate = resource("EvalRun", "gate", model=None, service={"name": "chat"}, status=known)
    decision = decide(live, [model("two"), gate], owned=owned)
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "CircularReference")
    assert "EvalRun gate scores what InferenceService chat serves" in message
    assert "name an EvalRun of the model itself (spec.model)" in message
    if before:
        assert ready(decide(live, [model("one"), gate], owned=owned))[1] == "Serving"
    other = resource("EvalRun", "gate", model=None, service={"name": "other"}, status=known)
    assert ready(decide(live, [model("two"), other], owned=owned))[1] == "WaitingForGate"


def test_what_serves_goes_on_while_a_gate_is_shut() -> None:
    live, revision, owned = serving(endpoint=ENDPOINT)
    live["spec"] = {**live["spec"], "gates": [{"evalRun": "gate"}]}
    gate = resource("EvalRun", "gate", status={"verdict": verdict("two", False)})
    decision = decide(live, [model("two"), gate], owned=owned)
    assert ready(decision)[1] == "GateNotPassed"
    assert pruned(decision, owned) == []
    assert decision.status.stable.revision == revision
    assert decision.status.canary is None, "nothing is being loaded any more"


# Loading and switching


def test_loading_then_the_route() -> None:
    live = service(endpoint=ENDPOINT)
    first = decide(live, [model()])
    assert ready(first)[:2] == ("Unknown", "Loading")
    assert [o["kind"] for o in first.desired] == ["ConfigMap", "Deployment", "Service"]
    revision = revision_of(first)
    owned = [deployment(live, revision)]
    second = decide(after(live, first), [model()], owned=owned)
    assert desired(second, "HTTPRoute")[0]["spec"]["rules"][0]["backendRefs"][0]["name"] == revision
    assert second.status.address.url == "http://a.example.com/v1"
    assert ready(second)[1] == "Loading", "the gateway has not taken the route"
    third = decide(after(live, second), [model()], owned=[*owned, route(revision)])
    assert ready(third) == ("True", "Serving", f"Revision {revision} serves with 1 of 1 replicas.")
    assert third.status.canary is None


def test_a_new_revision_is_loaded_beside_the_one_that_serves() -> None:
    live, old, owned = serving(endpoint=ENDPOINT)
    decision = decide(live, [model("two")], owned=owned)
    new = revision_of(decision)
    assert new != old
    assert decision.status.stable.revision == old
    assert (decision.status.canary.revision, decision.status.canary.weight) == (new, 0)
    assert backends(decision) == {old: 100, new: 0}
    assert pruned(decision, owned) == []


def backends(decision: Decision) -> dict[str, int]:
    (found,) = desired(decision, "HTTPRoute")
    return {ref["name"]: ref["weight"] for ref in found["spec"]["rules"][0]["backendRefs"]}


def test_the_former_revision_stays_until_the_route_to_the_next_is_taken() -> None:
    live, old, owned = serving(endpoint=ENDPOINT)
    loading = decide(live, [model("two")], owned=owned)
    new = revision_of(loading)
    both = [deployment(live, old), deployment(live, new), route(old)]
    switch = decide(after(live, loading), [model("two")], owned=both)
    assert backends(switch) == {old: 0, new: 100}
    assert switch.status.stable.revision == old
    assert ready(switch)[1] == "Loading", "the live route leads to the former one"
    assert pruned(switch, both) == []
    live = after(live, switch)
    for stale in (route(old), route(new, None), route(new, generation=0)):
        waiting_on = [*both[:2], stale]
        assert pruned(decide(live, [model("two")], owned=waiting_on), waiting_on) == []
    taken = [*both[:2], route(new)]
    baking = decide(live, [model("two")], owned=taken)
    assert ready(baking)[1] == "Baking"
    decision = decide(after(live, baking), [model("two")], owned=taken)
    assert ready(decision)[1] == "Serving"
    assert decision.status.stable.revision == new
    assert [o["metadata"]["name"] for o in pruned(decision, taken)] == [old]


def test_without_an_endpoint_the_service_switches_at_once() -> None:
    live, old, owned = serving()
    loading = decide(live, [model("two")], owned=owned)
    new = revision_of(loading)
    both = [*owned, deployment(live, new)]
    switch = decide(after(live, loading), [model("two")], owned=both)
    (inside,) = [o for o in desired(switch, "Service") if o["metadata"]["name"] == "chat"]
    assert inside["spec"]["selector"][labels.REVISION] == new
    baking = decide(after(live, switch), [model("two")], owned=both)
    done = decide(after(live, baking), [model("two")], owned=both)
    assert ready(done)[1] == "Serving"
    assert [o["metadata"]["name"] for o in pruned(done, both)] == [old]


def test_a_refused_route() -> None:
    live, revision, _ = serving(endpoint=ENDPOINT)
    owned = [deployment(live, revision), route(revision, "False")]
    status, reason, message = ready(decide(live, [model()], owned=owned))
    assert (status, reason) == ("False", "RouteNotAccepted")
    assert "NoMatch: no listener" in message


def test_an_endpoint_that_is_removed_takes_the_route_with_it() -> None:
    live, _, owned = serving(endpoint=ENDPOINT)
    live["spec"] = {k: v for k, v in live["spec"].items() if k != "endpoint"}
    decision = decide(live, [model()], owned=owned)
    assert ready(decision)[1] == "Serving"
    assert [o["kind"] for o in pruned(decision, owned)] == ["HTTPRoute"]
    assert decision.status.address == decision.status.cluster_address


def test_replicas_do_not_make_a_revision() -> None:
    live, revision, owned = serving()
    live["spec"] = {**live["spec"], "replicas": 3}
    decision = decide(live, [model()], owned=owned)
    assert revision_of(decision) == revision
    assert desired(decision, "Deployment")[0]["spec"]["replicas"] == 3
    assert ready(decision)[2].endswith("1 of 3 replicas.")


def test_no_replicas() -> None:
    live, _, owned = serving(endpoint=ENDPOINT)
    live["spec"] = {**live["spec"], "replicas": 0}
    decision = decide(live, [model()], owned=owned)
    assert ready(decision)[:2] == ("Unknown", "ScaledToZero")
    assert decision.status.phase == "Idle"
    assert desired(decision, "Deployment")[0]["spec"]["replicas"] == 0
    assert desired(decision, "HTTPRoute")


def test_the_count_of_replicas_is_true_while_another_loads() -> None:
    live, old, _ = serving()
    decision = decide(live, [model("two")], owned=[deployment(live, old, ready=0)])
    assert decision.status.stable.ready_replicas == 0
    assert decision.status.replicas == 0


# Failing


def crashed(revision: str, restarts: int = 3) -> Object:
    status = container_status(
        "engine", waiting("CrashLoopBackOff"), lastState=ended(1, "no kernel")
    )
    return engine_pod(revision, {**status, "restartCount": restarts})


def test_a_revision_that_keeps_dying_is_given_up_while_the_former_serves() -> None:
    live, old, owned = serving(endpoint=ENDPOINT)
    loading = decide(live, [model("two")], owned=owned)
    new = revision_of(loading)
    both = [*owned, deployment(live, new, 0)]
    decision = decide(after(live, loading), [model("two")], owned=both, pods=[crashed(new)])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "CrashLoop")
    assert "no kernel" in message
    assert f"Revision {old} goes on serving" in message
    assert [o["metadata"]["name"] for o in pruned(decision, both)] == [new]
    assert (decision.status.canary, decision.status.rejected[0].revision) == (None, new)
    again = decide(after(live, decision), [model("two")], owned=owned)
    assert desired(again, "Deployment") == []
    assert ready(again) == ready(decision)
    retried = after(live, decision)
    retried["spec"] = {**retried["spec"], "retry": "once more"}
    assert ready(decide(retried, [model("two")], owned=owned))[1] == "Loading"


def test_a_user_s_error_in_stage_is_given_up_at_once() -> None:
    live = service()
    revision = revision_of(decide(live, [model()]))
    told = json.dumps(said("stage", "DigestMismatch", "weights differ."))
    stage = container_status("stage", ended(65, told))
    bad = engine_pod(revision, container_status("engine", waiting("PodInitializing")), stage)
    decision = decide(live, [model()], pods=[bad], owned=[deployment(live, revision, 0)])
    assert ready(decision)[1] == "DigestMismatch"
    assert decision.status.rejected[0].reason == "DigestMismatch"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (container_status("engine", waiting("ImagePullBackOff")), "ImageCannotBePulled"),
        (
            {**container_status("engine", RUNNING, lastState=ended(1, "x")), "restartCount": 1},
            "PodFailed",
        ),
        (
            {
                **container_status("engine", RUNNING, lastState=ended(137, reason="OOMKilled")),
                "restartCount": 1,
            },
            "OutOfMemory",
        ),
    ],
)
def test_what_keeps_it_from_getting_on_is_told(status: Object, reason: str) -> None:
    live = service()
    revision = revision_of(decide(live, [model()]))
    decision = decide(live, [model()], pods=[engine_pod(revision, status)])
    assert ready(decision)[:2] == ("False", reason)
    assert desired(decision, "Deployment")


def test_pods_that_are_refused() -> None:
    live = service()
    refused = deployment(live, revision_of(decide(live, [model()])), 0)
    refused["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small."}
    ]
    decision = decide(live, [model()], owned=[refused])
    assert ready(decision)[:2] == ("False", "PodRefused")
    assert "exceeded quota" in ready(decision)[2]


# What makes a revision


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"replicas": 5}, True),
        ({"endpoint": ENDPOINT}, True),
        ({"gates": []}, True),
        ({"retry": "x"}, False),
        ({"engine": {"maxModelLen": 64}}, False),
        ({"engine": {"type": "vLLM"}}, True),
        ({"pod": {"image": "mine:1"}}, False),
    ],
)
def test_what_makes_a_revision(change: Object, same: bool) -> None:
    first = revision_of(decide(service(), [model()]))
    assert (revision_of(decide(service(**change), [model()])) == first) is same


@pytest.mark.parametrize(
    ("newer", "same"),
    [
        ({"vllm_cuda": "vllm-cuda:2", "lmdeploy": "lmdeploy:2", "sglang": "sglang:2"}, True),
        ({"vllm_cpu": "vllm-cpu:2"}, False),
        ({"runtime": "runtime:2"}, False),
    ],
)
def test_only_the_images_of_its_own_pods_make_a_revision(newer: Object, same: bool) -> None:
    first = revision_of(decide(service(), [model()]))
    settings = replace(SETTINGS, images=replace(SETTINGS.images, **newer))
    assert (revision_of(decide(service(), [model()], settings=settings)) == first) is same


def test_an_adapter_is_served_over_its_base() -> None:
    tuned = resource("FineTuneJob", "tune", status={"artifact": artifact("tuned", base="base")})
    decision = decide(service(), [tuned])
    plan = json.loads(desired(decision, "ConfigMap")[0]["data"]["plan.json"])
    assert [item["name"] for item in plan["inputs"]] == ["model", "adapter"]


# For every place: pure, settled, valid


def places() -> list[tuple[Object, dict[str, Any]]]:
    live, old, owned = serving(endpoint=ENDPOINT)
    fresh = service(endpoint=ENDPOINT)
    new = revision_of(decide(live, [model("two")], owned=owned))
    return [
        (fresh, {}),
        (resource("InferenceService", "chat"), {}),
        (live, {"owned": owned}),
        (live, {"owned": [*owned, deployment(live, new)]}),
        (live, {"owned": owned, "pods": [crashed(new)]}),
        (live, {"owned": [deployment(live, old, 0)], "pods": [crashed(old)]}),
        ({**live, "spec": {**live["spec"], "replicas": 0}}, {"owned": owned}),
    ]


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("text", ["one", "two"])
def test_wherever_it_is(place: int, text: str) -> None:
    live, parts = places()[place]
    first = decide(live, [model(text)], **parts)
    assert first == decide(live, [model(text)], **parts)
    written = first.status.to_dict()
    assert kinds.parse("InferenceService", {**live, "status": written}).status.to_dict() == written
    assert written["observedGeneration"] == 1
    second = decide(after(live, first), [model(text)], now=NOW + timedelta(hours=1), **parts)
    third = decide(after(live, second), [model(text)], now=NOW + timedelta(hours=2), **parts)
    assert third.status == second.status, "settled, whatever the time"


def test_a_model_larger_than_the_accelerator_starts_no_pod() -> None:
    pod = {"accelerator": "nvidia.com/gpu", "acceleratorMemory": "50"}
    live = resource("InferenceService", "chat", model=from_("FineTuneJob", "tune"), pod=pod)
    decision = decide(live, [with_artifact("FineTuneJob", "tune", "tuned")])
    assert ready(decision)[:2] == ("False", "InsufficientMemory")
    assert desired(decision, "Deployment") == []


# What an autoscaler sees


def test_the_scale_subresource_counts_the_engines_pods_and_no_others() -> None:
    live, revision, _ = serving()
    words = live["status"]["selector"].split(",")
    equal = dict(word.split("=") for word in words if "=" in word)
    present = {word for word in words if "=" not in word}

    def finds(marks: dict[str, str]) -> bool:
        return equal.items() <= marks.items() and present <= marks.keys()

    assert finds(owned_labels("InferenceService", "chat", revision=revision))
    assert not finds(owned_labels("InferenceService", "chat", stage="preflight"))
    assert not finds(owned_labels("EvalRun", "chat", stage="evaluate"))
    assert not finds(owned_labels("InferenceService", "other", revision=revision))
