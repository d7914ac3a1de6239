"""The order of a compressing run's work: no artifact that an engine has not answered with."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_builders import (
    NOW,
    RUN,
    RUNNING,
    SETTINGS,
    after,
    container_status,
    decide,
    desired,
    digest,
    ended,
    finished_pod,
    from_,
    keeps,
    locked,
    ready,
    resource,
    said,
    stage_job,
    stage_pod,
    waiting,
    went_well,
    work_told,
)

from martlet_api.contract import METRIC_RUNG, METRIC_RUNGS, Plan

Object = dict[str, Any]

ACCELERATED = {
    "accelerator": "nvidia.com/gpu",
    "acceleratorsPerPod": 2,
    "resources": {"limits": {"memory": "8Gi"}},
    "nodeSelector": {"zone": "a"},
    "runtimeClassName": "nvidia",
}


def compressed(**spec: Any) -> tuple[Object, str, Any]:
    """A resource whose ladder is done: resource, run and decision."""
    live, run, _ = locked(resource("QuantizedModel", **spec))
    decision = decide(live, **went_well(live, run, ("quantize",)))
    return after(live, decision), run, decision


def verified(**spec: Any) -> tuple[Object, str, Any]:
    live, run, _ = compressed(**spec)
    decision = decide(live, **went_well(live, run, ("quantize", "verify")))
    return after(live, decision), run, decision


def pod_of(decision: Any) -> Object:
    (job,) = desired(decision, "Job")
    found: Object = job["spec"]["template"]["spec"]
    return found


def plan_of(decision: Any) -> Plan:
    return Plan.model_validate_json(decision.desired[0]["data"]["plan.json"])


def test_after_the_ladder_the_engine_is_asked() -> None:
    live, run, decision = compressed()
    assert ready(decision) == (
        "Unknown", "Verifying", "vLLM loads pvc://models/made and must answer."
    )  # fmt: skip
    assert decision.status.phase == "Verifying"
    assert decision.desired[1]["metadata"]["name"] == f"thing-{run}-verify"
    assert keeps(decision, RUN, run), "the ladder's pod stays for its log"
    status = live["status"]
    assert status["chosen"]["method"] == "W8A8"
    assert len(status["rungs"]) == 1
    assert status["candidate"]["digest"] == digest("made")
    assert "artifact" not in status
    assert "verified" not in status
    assert "finishedAt" not in status["run"]


def test_who_waits_for_the_artifact_waits_for_the_answer() -> None:
    live, _, _ = compressed()
    user = resource("EvalRun", "user", model=from_("QuantizedModel", "thing"))
    status, reason, message = ready(decide(user, [live]))
    assert (status, reason) == ("Unknown", "WaitingForReference")
    assert "QuantizedModel thing (Verifying)" in message
    live, _, _ = verified()
    assert ready(decide(user, [live]))[1] == "Resolving"


def test_the_answer_makes_the_artifact() -> None:
    live, run, decision = verified()
    status, reason, message = ready(decision)
    assert (status, reason) == ("True", "Succeeded")
    assert message.endswith("vLLM 0.32.0 answered with it 41 s after its pod began.")
    assert live["status"]["artifact"]["run"] == run
    assert live["status"]["verified"]["digest"] == live["status"]["artifact"]["digest"]
    assert live["status"]["verified"]["image"] == "vllm-cpu:1"
    assert "candidate" not in live["status"]
    assert live["status"]["run"]["finishedAt"] == "2026-01-02T03:04:05Z"


def test_stage_brings_what_was_compressed_by_its_digest_and_checks_its_format() -> None:
    plan = plan_of(compressed()[2])
    (brought,) = plan.inputs
    assert (brought.name, brought.kind, brought.uri) == ("model", "Model", "pvc://models/made")
    assert brought.digest == digest("made")
    assert plan.serve is not None
    assert not plan.serve.on_accelerator
    assert plan.verify is not None
    assert plan.verify.image == "vllm-cpu:1"
    assert plan.verify.endpoint == "http://127.0.0.1:8080/v1"
    assert plan.quantize is None


@pytest.mark.parametrize("pod", [{}, ACCELERATED], ids=["cpu", "accelerator"])
def test_the_engine_is_the_one_of_a_service_of_this_model(pod: Object) -> None:
    arguments = {"maxModelLen": 256, "args": ["--max-num-seqs", "4"]}
    live, _, decision = compressed(pod=pod, verification=arguments)
    service = resource(
        "InferenceService", model=from_("QuantizedModel", "thing"), pod=pod,
        engine={"type": "vLLM", **arguments},
    )  # fmt: skip
    (deployment,) = desired(decide(service, [verified(pod=pod)[0]]), "Deployment")
    serving = deployment["spec"]["template"]["spec"]
    found, wanted = pod_of(decision), copy.deepcopy(serving["containers"][0])
    engine = found["initContainers"][1]
    assert engine.pop("restartPolicy") == "Always"
    wanted.pop("lifecycle")
    drain = wanted["args"].index("--shutdown-timeout")  # nobody waits for an answer here
    del wanted["args"][drain : drain + 2]
    for item in (engine, wanted):  # the served name is the service's own
        item["args"][item["args"].index("--served-model-name") + 1] = "NAME"
        item["startupProbe"]["exec"]["command"][-1] = "NAME"
    assert engine == wanted
    for place in ("nodeSelector", "runtimeClassName"):
        assert found.get(place) == serving.get(place)
    (asks,) = found["containers"]
    assert (asks["name"], asks["image"]) == ("verify", "runtime:1")
    assert "resources" not in asks
    assert live["status"]["candidate"]


def test_the_image_that_compresses_is_not_the_engine_s() -> None:
    _, _, decision = compressed(pod={"image": "mine:1"})
    assert pod_of(decision)["initContainers"][1]["image"] == "vllm-cpu:1"
    assert pod_of(decision)["containers"][0]["image"] == "runtime:1"


def test_the_engine_s_image_may_be_the_user_s_own() -> None:
    _, _, decision = compressed(verification={"image": "rocm:1"}, pod={"image": "mine:1"})
    assert pod_of(decision)["initContainers"][1]["image"] == "rocm:1"
    plan = plan_of(decision)
    assert plan.verify is not None
    assert plan.verify.image == "rocm:1"


def test_without_an_image_for_the_accelerator_nothing_is_compressed_in_vain() -> None:
    pod = {"accelerator": "amd.com/gpu"}
    status, reason, message = ready(decide(resource("QuantizedModel", pod=pod)))
    assert (status, reason) == ("False", "InvalidSpec")
    assert "for amd.com/gpu; name one in spec.verification.image." in message
    named = resource("QuantizedModel", pod=pod, verification={"image": "rocm:1"})
    assert ready(decide(named))[1] == "Resolving"


def test_nothing_is_written_to_volumes_while_the_engine_is_asked() -> None:
    pod = pod_of(compressed()[2])
    for container in (*pod["initContainers"], *pod["containers"]):
        claims = [m for m in container["volumeMounts"] if m["name"].startswith("claim-")]
        assert claims
        assert all(mount["readOnly"] for mount in claims)


def test_progress_of_the_ladder_is_not_shown_while_the_engine_is_asked() -> None:
    live, run, _ = locked(resource("QuantizedModel"))
    pod = stage_pod(live, run, "quantize", containers=[container_status("quantize", RUNNING)])
    page = {METRIC_RUNG: 1.0, METRIC_RUNGS: 1.0}
    job = stage_job(live, run, "quantize")
    live = after(live, decide(live, pods=[pod], owned=[job], pages={"pod": page}))
    assert live["status"]["progress"]
    decision = decide(live, **went_well(live, run, ("quantize",)))
    assert decision.status.progress is None
    assert ready(decision)[2].startswith("vLLM loads")


# Ends


def _asked(live: Object, run: str, **parts: Any) -> Any:
    """A decision with a pod of the stage verify."""
    done = went_well(live, run, ("quantize",))
    conditions = parts.pop("job", ())
    pod = parts.pop("pod", None) or stage_pod(live, run, "verify", **parts)
    owned = [*done["owned"], stage_job(live, run, "verify", *conditions)]
    return decide(live, pods=[*done["pods"], pod], owned=owned)


def _says_what_next(message: str) -> bool:
    parts = ("pvc://models/made", "spec.ladder", "spec.verification", "spec.retry")
    return all(part in message for part in parts)


def _keeps_what_was_found(decision: Any) -> bool:
    status = decision.status
    kept = status.chosen and status.rungs and status.candidate and status.baseline_perplexity
    return bool(kept) and status.artifact is None and status.verified is None


def test_an_engine_that_keeps_dying_ends_the_run_with_its_last_lines() -> None:
    live, run, _ = compressed()
    dead = ended(1, "RuntimeError: no kernel for this format")
    engine = container_status("engine", waiting("CrashLoopBackOff"), lastState=dead)
    engine["restartCount"] = 3
    decision = _asked(live, run, init=[engine])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "EngineFailed")
    assert "RuntimeError: no kernel for this format" in message
    assert _says_what_next(message)
    assert _keeps_what_was_found(decision)
    assert decision.status.phase == "Failed"
    assert decision.status.run.finished_at
    assert [job["spec"]["suspend"] for job in desired(decision, "Job")] == [True]


def test_an_engine_that_wants_more_memory_is_told() -> None:
    live, run, _ = compressed()
    dead = ended(137, reason="OOMKilled")
    engine = container_status("engine", waiting("CrashLoopBackOff"), lastState=dead)
    engine["restartCount"] = 3
    _, reason, message = ready(_asked(live, run, init=[engine]))
    assert reason == "OutOfMemory"
    assert "spec.pod.resources.limits.memory" in message


@pytest.mark.parametrize(
    ("container", "reason", "text"),
    [
        ("verify", "EngineFailed", "The engine loaded the model, but a completion was no answer."),
        ("stage", "DigestMismatch", "model.safetensors in r1 was changed since it was made."),
        ("stage", "FormatNotSupported", "vLLM 0.32.0 serves FP8 on no CPU."),
    ],
)
def test_what_would_fail_again_ends_the_run(container: str, reason: str, text: str) -> None:
    live, run, _ = compressed()
    state = container_status(container, ended(65, json.dumps(said(container, reason, text))))
    place = "init" if container == "stage" else "containers"
    decision = _asked(live, run, phase="Failed", **{place: [state]})
    status, found, message = ready(decision)
    assert (status, found) == ("False", reason)
    assert message.startswith(text)
    assert _says_what_next(message)
    assert _keeps_what_was_found(decision)


def test_a_pod_that_was_killed_is_tried_again() -> None:
    live, run, _ = compressed()
    told = json.dumps(said("verify", "PodFailed", "The pod was told to stop."))
    decision = _asked(live, run, pod=finished_pod(live, run, "verify", 75, told))
    assert ready(decision)[1] == "Retrying"
    assert decision.status.run.finished_at is None
    again = decide(after(live, decision), **went_well(live, run, ("quantize", "verify")))
    assert ready(again)[:2] == ("True", "Succeeded")


def test_a_lost_answer_is_asked_for_again_and_nothing_is_compressed_again() -> None:
    """Even though the ladder's pod and Job are gone."""
    live, run, _ = compressed()
    decision = decide(live, owned=[stage_job(live, run, "verify", "Complete")])
    assert ready(decision)[1] == "Retrying"
    decision = decide(after(live, decision))
    assert decision.desired[1]["metadata"]["name"] == f"thing-{run}-verify"


def test_the_image_told_is_that_of_the_pod_though_the_operator_has_another_by_now() -> None:
    live, run, _ = compressed()
    newer = replace(
        SETTINGS, images=replace(SETTINGS.images, runtime="runtime:2", vllm_cpu="vllm-cpu:2")
    )
    decision = decide(live, settings=newer, **went_well(live, run, ("quantize", "verify")))
    assert decision.status.verified.image == "vllm-cpu:1"


# Runs before and after


def of_before(live: Object) -> Object:
    """As an operator left it that asked no engine."""
    before = copy.deepcopy(live)
    del before["status"]["verified"]
    return before


def test_a_run_that_had_ended_before_engines_were_asked_stays_as_it_is() -> None:
    live = of_before(verified()[0])
    decision = decide(live, now=NOW + timedelta(days=1))
    assert decision.status.to_dict() == live["status"]
    assert decision.desired == []


@pytest.mark.parametrize("before", [True, False])
def test_a_run_that_was_held_comes_back_to_its_end_without_a_pod(before: bool) -> None:
    live = verified()[0]
    live = of_before(live) if before else live
    wrong = {**live, "spec": {**live["spec"], "model": from_("FineTuneJob", "typo")}}
    wrong["metadata"] = {**live["metadata"], "generation": 2}
    held = decide(wrong)
    assert ready(held)[1] == "ReferenceNotFound"
    back = {**live, "status": held.status.to_dict()}
    back["metadata"] = {**live["metadata"], "generation": 3}
    decision = decide(back)
    assert ready(decision)[:2] == ("True", "Succeeded")
    assert decision.desired == []
    assert decision.status.run.finished_at


def test_a_new_run_keeps_the_former_artifact_and_who_answered_with_it() -> None:
    live, run, _ = verified()
    live["spec"] = {**live["spec"], "retry": "again"}
    new = decide(live)
    assert new.status.run.id != run
    assert new.status.artifact.digest == new.status.verified.digest == digest("made")
    assert new.status.chosen is None
    assert new.status.candidate is None


def test_a_run_that_begins_once_more_is_asked_once_more() -> None:
    """The spec was changed and changed back: its artifact is found, and may have been changed."""
    live, run, _ = verified()
    begun = {key: live["status"][key] for key in ("artifact", "verified", "conditions")}
    begun |= {"run": {"id": run, "startedAt": "x"}, "resolved": live["status"]["resolved"]}
    live = {**live, "status": begun}
    decision = decide(live, **went_well(live, run, ("quantize",)))
    assert ready(decision)[1] == "Verifying"


STATES = [
    RUNNING,
    ended(0),
    ended(0, "hello"),
    ended(65, json.dumps(said("verify", "EngineFailed", "None."))),
    ended(75, "down"),
    ended(137, reason="OOMKilled"),
    waiting("ErrImagePull", "no"),
]


@settings(deadline=None)
@given(
    quantize=st.sampled_from([*STATES, ended(0, json.dumps(work_told("QuantizedModel")))]),
    verify=st.sampled_from(STATES),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    job=st.sampled_from([(), ("Complete",), ("Failed",)]),
    begun=st.booleans(),
    suspend=st.booleans(),
)
def test_nothing_is_the_artifact_without_an_answer(
    quantize: Object, verify: Object, phase: str, job: tuple[str, ...], begun: bool, suspend: bool
) -> None:
    """Whatever both pods say, as long as the engine's says no answer."""
    start = compressed if begun else lambda **spec: locked(resource("QuantizedModel", **spec))
    live, run, _ = start(suspend=suspend)
    pods = [
        stage_pod(
            live, run, stage, phase=phase, name=stage, containers=[container_status(stage, state)]
        )
        for stage, state in (("quantize", quantize), ("verify", verify))
    ]
    owned = [stage_job(live, run, stage, *job) for stage in ("quantize", "verify")]
    for _ in range(3):
        decision = decide(live, pods=pods, owned=owned)
        assert decision.status.artifact is None
        assert decision.status.verified is None
        assert ready(decision)[0] != "True"
        live = after(live, decision)
