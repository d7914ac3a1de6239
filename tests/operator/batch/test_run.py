"""Where a run can be, and what is decided there."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_builders import (
    BATCH_KINDS,
    NOW,
    RUN,
    RUNNING,
    SETTINGS,
    STAGES,
    WORK,
    after,
    condition,
    container_status,
    decide,
    desired,
    digest,
    ended,
    finished_pod,
    from_,
    keeps,
    locked,
    preflight_told,
    ready,
    resource,
    said,
    stage_job,
    stage_pod,
    started,
    waiting,
    went_well,
    with_artifact,
    work_told,
)

from martlet_api import contract
from martlet_api.termination import MARK
from martlet_operator.batch.kind import spec_identity
from martlet_operator.reconcile import kinds
from martlet_operator.settings import Images

Object = dict[str, Any]


@pytest.fixture(params=BATCH_KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# References


def test_a_reference_that_does_not_exist(kind: str) -> None:
    decision = decide(resource(kind, model=from_("FineTuneJob", "other")))
    status, reason, message = ready(decision)
    assert (status, reason) == ("Unknown", "ReferenceNotFound")
    assert "FineTuneJob other does not exist" in message
    assert decision.status.phase == "Waiting"
    assert decision.desired == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, "WaitingForReference"),
        ({"conditions": [condition("Unknown", "Training")]}, "WaitingForReference"),
        ({"conditions": [condition("False", "DatasetEmpty")]}, "ReferenceFailed"),
    ],
)
def test_a_reference_that_has_made_nothing(kind: str, status: Object, expected: str) -> None:
    other = resource("FineTuneJob", "other", status=status)
    decision = decide(resource(kind, model=from_("FineTuneJob", "other")), [other])
    assert ready(decision)[:2] == ("Unknown", expected)
    assert decision.status.run is None


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_a_circle_names_its_way(names: tuple[str, ...]) -> None:
    live = [
        resource("FineTuneJob", name, model=from_("FineTuneJob", names[(i + 1) % len(names)]))
        for i, name in enumerate(names)
    ]
    decision = decide(live[0], live[1:])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "CircularReference")
    assert " -> ".join(f"FineTuneJob/{name}" for name in (*names, names[0])) in message
    assert decision.desired == []


def test_who_names_a_circle_is_not_in_it() -> None:
    a = resource("FineTuneJob", "a", model=from_("FineTuneJob", "b"))
    b = resource("FineTuneJob", "b", model=from_("FineTuneJob", "a"))
    decision = decide(resource("EvalRun", model=from_("FineTuneJob", "a")), [a, b])
    assert ready(decision)[1] == "WaitingForReference"


def test_an_adapter_over_an_adapter_is_refused_before_any_pod() -> None:
    other = with_artifact("FineTuneJob", "other", "tuned", base="base")
    live = resource("FineTuneJob", model=from_("FineTuneJob", "other"))
    decision = decide(live, [other])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "InvalidSpec")
    assert "tuner.type Full" in message
    assert decision.desired == []
    assert decision.status.run.finished_at


def test_a_whole_model_may_be_trained_over_an_adapter() -> None:
    other = with_artifact("FineTuneJob", "other", "tuned", base="base")
    live = resource("FineTuneJob", model=from_("FineTuneJob", "other"), tuner={"type": "Full"})
    assert ready(decide(live, [other]))[1] == "Resolving"


# Preflight and work


def test_a_model_by_uri_is_resolved_first(kind: str) -> None:
    decision = decide(resource(kind))
    assert ready(decision)[:2] == ("Unknown", "Resolving")
    assert [item["kind"] for item in decision.desired] == ["ConfigMap", "Job"]
    run = decision.status.run.id
    assert decision.desired[1]["metadata"]["name"] == f"thing-{run}-preflight"
    assert keeps(decision, RUN, run)


def test_after_preflight_the_digests_are_locked_and_the_work_begins(kind: str) -> None:
    live, run, decision = locked(resource(kind))
    assert decision.desired[1]["metadata"]["name"] == f"thing-{run}-{STAGES[kind]}"
    plan = json.loads(decision.desired[0]["data"]["plan.json"])
    assert plan["inputs"][0]["digest"] == digest("model")
    assert {link["name"] for link in live["status"]["madeFrom"]} >= {"model"}
    assert [c["type"] for c in live["status"]["conditions"]] == ["Ready", "Resolved"]


def test_with_nothing_to_lock_there_is_no_preflight() -> None:
    """A QuantizedModel's data was locked by an earlier pass, its model by the FineTuneJob."""
    other = with_artifact("FineTuneJob", "other", "tuned")
    live, _ = started(resource("QuantizedModel", model=from_("FineTuneJob", "other")), [other])
    live["status"]["resolved"] = preflight_told("QuantizedModel")["resolved"][1:]
    jobs = desired(decide(live, [other]), "Job")
    assert [job["metadata"]["labels"]["martlet.dev/stage"] for job in jobs] == ["quantize"]


PROGRESS = {
    "FineTuneJob": (
        {contract.METRIC_STEP: 3, contract.METRIC_TOTAL_STEPS: 12, contract.METRIC_LOSS: 1.25},
        "Step 3 of 12, loss 1.25.",
    ),
    "EvalRun": (
        {contract.METRIC_SAMPLES: 4, contract.METRIC_TOTAL_SAMPLES: 40},
        "4 of 40 samples answered.",
    ),
    "QuantizedModel": (
        {contract.METRIC_RUNG: 1, contract.METRIC_RUNGS: 2},
        "Tries rung 1 of 2.",
    ),
}


def _working(kind: str, seconds: float = 0, page: dict[str, float] | None = None, **status: Any):
    """A decision while the pod works and its page says ``page``."""
    live, run, _ = locked(resource(kind))
    live["status"] |= status
    stage = STAGES[kind]
    pod = stage_pod(live, run, stage, containers=[container_status(stage, RUNNING)])
    return live, decide(
        live,
        pods=[pod],
        owned=[stage_job(live, run, stage)],
        pages={"pod": PROGRESS[kind][0] if page is None else page},
        now=NOW + timedelta(seconds=seconds),
    )


def test_a_working_pod_s_page_is_the_progress(kind: str) -> None:
    _, decision = _working(kind)
    status, reason, message = ready(decision)
    assert status == "Unknown"
    assert reason in ("Training", "Evaluating", "Quantizing")
    assert message == PROGRESS[kind][1]
    assert decision.status.progress is not None
    assert decision.again_after == 10


def test_a_page_without_figures_says_nothing(kind: str) -> None:
    _, decision = _working(kind, page={})
    assert decision.status.progress is None


def test_progress_is_written_no_more_often_than_every_ten_seconds(kind: str) -> None:
    live, first = _working(kind)
    run, stage = first.status.run.id, STAGES[kind]
    pod = stage_pod(live, run, stage, containers=[container_status(stage, RUNNING)])
    later = {name: value + 1 for name, value in PROGRESS[kind][0].items()}

    def passing(seconds: int) -> Any:
        return decide(
            after(live, first),
            pods=[pod],
            owned=[stage_job(live, run, stage)],
            pages={"pod": later},
            now=NOW + timedelta(seconds=seconds),
        ).status

    assert passing(5) == first.status
    assert passing(10).progress != first.status.progress


# Ends


def _ended(
    kind: str,
    code: int,
    message: str,
    *conditions: str,
    spec: Object | None = None,
    **pod_parts: Any,
):
    live, run, _ = locked(resource(kind, **(spec or {})))
    pod = finished_pod(live, run, STAGES[kind], code, message, **pod_parts)
    job = stage_job(live, run, STAGES[kind], *conditions)
    return live, run, decide(live, pods=[pod], owned=[job])


def _succeeded(kind: str):
    """A run whose every stage went well."""
    live, run, _ = locked(resource(kind))
    return live, run, decide(live, **went_well(live, run, WORK[kind]))


def test_success(kind: str) -> None:
    _, run, decision = _succeeded(kind)
    status, reason, _ = ready(decision)
    assert (status, reason) == ("True", "Passed" if kind == "EvalRun" else "Succeeded")
    assert decision.status.run.finished_at == "2026-01-02T03:04:05Z"
    assert keeps(decision, RUN, run)
    assert decision.desired == []
    if kind == "EvalRun":
        assert decision.status.verdict.passed
        assert decision.status.verdict.model_digest == digest("model")
    else:
        assert decision.status.artifact.digest == digest("made")
        assert decision.status.artifact.run == run


def test_a_finished_run_is_left_alone(kind: str) -> None:
    live, _, decision = _succeeded(kind)
    finished = after(live, decision)
    again = decide(finished, now=NOW + timedelta(days=1))
    assert again.status.to_dict() == finished["status"]
    assert again.desired == []
    suspended = {**finished, "spec": {**finished["spec"], "suspend": True, "retries": {"limit": 9}}}
    suspended["metadata"] = {**finished["metadata"], "generation": 2}
    again = decide(suspended)
    assert again.status.observed_generation == 2
    assert ready(again) == ready(decision)


def test_a_missed_threshold() -> None:
    told = json.dumps(work_told("EvalRun", score=0.3))
    _, _, decision = _ended("EvalRun", 0, told, "Complete")
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "ThresholdNotMet")
    assert "village Rouge-L-R 0.3, not at least 0.8 (40 samples)" in message
    assert not decision.status.verdict.passed
    assert decision.status.phase == "Failed"


def test_many_scores_make_a_verdict_of_bounded_length() -> None:
    name, limit = "village", {"metric": "m" * 60, "min": 0.8}
    suite = {"name": name, "benchmark": "general_qa", "dataset": {"uri": "pvc://data/test.jsonl"}}
    score = {"suite": name, "metric": "m" * 60, "value": 0.5, "samples": 10}
    told = json.dumps(said("evaluate", evaluate={"scores": [score] * 200}))
    spec = {"suites": [{**suite, "thresholds": [limit]}]}
    _, _, decision = _ended("EvalRun", 0, told, "Complete", spec=spec)
    assert ready(decision)[1] == "ThresholdNotMet"
    assert len(decision.status.verdict.message) <= 1024
    assert "200 of 200" in decision.status.verdict.message


def test_a_user_s_error_ends_the_run_at_once(kind: str) -> None:
    told = json.dumps(said(STAGES[kind], "DatasetInvalid", "train.jsonl line 3: no messages."))
    _, run, decision = _ended(kind, 65, told)
    assert ready(decision) == ("False", "DatasetInvalid", "train.jsonl line 3: no messages.")
    assert decision.status.phase == "Failed"
    assert decision.status.run.finished_at
    assert keeps(decision, RUN, run)


def test_what_a_failed_run_found_is_kept() -> None:
    rung = {"method": "W8A8", "passed": False, "increasePercent": 50.0}
    found = {"rungs": [rung], "baselinePerplexity": 5.0, "sourceBytes": 4}
    told = said("quantize", "NoRungPassed", "None passed.", quantize=found)
    _, _, decision = _ended("QuantizedModel", 65, json.dumps(told), "Failed")
    assert ready(decision)[1] == "NoRungPassed"
    assert decision.status.rungs[0].increase_percent == 50.0


def test_an_attempt_worth_retrying_is_counted(kind: str) -> None:
    told = json.dumps(said(STAGES[kind], "SourceUnavailable", "The hub is down."))
    _, _, decision = _ended(kind, 75, told)
    status, reason, message = ready(decision)
    assert (status, reason) == ("Unknown", "Retrying")
    assert message == "Attempt 1 failed (SourceUnavailable); 3 to go. The hub is down."
    assert decision.status.run.finished_at is None


def test_the_trouble_of_a_new_attempt_is_its_own(kind: str) -> None:
    """The pod of the second attempt cannot be scheduled: that is not the first one's failure."""
    live, run, _ = locked(resource(kind))
    stage = STAGES[kind]
    failed = finished_pod(live, run, stage, 75, "", name="one")
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/1 nodes are available: insufficient cpu.",
    }
    new = stage_pod(live, run, stage, phase="Pending", conditions=[unscheduled], name="two")
    decision = decide(live, pods=[failed, new], owned=[stage_job(live, run, stage)])
    assert ready(decision)[:2] == ("False", "Unschedulable")
    assert "Attempt" not in ready(decision)[2]


def test_a_failed_job_ends_the_run(kind: str) -> None:
    told = json.dumps(said(STAGES[kind], "SourceUnavailable", "The hub is down."))
    _, _, decision = _ended(kind, 75, told, "Failed")
    assert ready(decision) == ("False", "SourceUnavailable", "The hub is down.")


def test_a_failed_job_without_pods_says_what_the_job_says(kind: str) -> None:
    live, run, _ = locked(resource(kind))
    decision = decide(live, owned=[stage_job(live, run, STAGES[kind], "Failed")])
    assert ready(decision) == ("False", "PodFailed", "The Job failed: gave up.")


def test_a_lost_result_is_made_again(kind: str) -> None:
    live, run, _ = locked(resource(kind))
    decision = decide(live, owned=[stage_job(live, run, STAGES[kind], "Complete")])
    assert ready(decision)[:2] == ("Unknown", "Retrying")
    assert not keeps(decision, RUN, run), "the Job goes, so that it is made again"
    assert decision.again_after == 1


def test_a_pod_that_ends_well_but_says_nothing_is_not_run_for_ever(kind: str) -> None:
    """An image of somebody else's: to run it again would give the same."""
    _, _, decision = _ended(kind, 0, "hello", "Complete")
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "PodFailed")
    assert "spec.pod.image" in message
    assert decision.status.run.finished_at


def test_a_result_that_was_cut_off_says_what_cut_it() -> None:
    """As where a mesh adds its proxies to every pod."""
    live, run, _ = locked(resource("EvalRun"))
    pod = finished_pod(live, run, "evaluate", 0, MARK + "x" * (2048 - len(MARK)))
    added = [{"name": f"proxy-{number}"} for number in range(5)]
    pod["spec"] |= {"containers": [{"name": "evaluate"}], "initContainers": added}
    jobs = [stage_job(live, run, "evaluate", "Complete")]
    status, reason, message = ready(decide(live, pods=[pod], owned=jobs))
    assert (status, reason) == ("False", "PodFailed")
    assert "was cut off" in message
    assert "this pod has 6 of them" in message


@pytest.mark.parametrize("code", [137, 1])
def test_out_of_memory_ends_the_run_and_its_job(kind: str, code: int) -> None:
    """Whatever exit code the container has: a Job that retries would run on unseen."""
    live, run, _ = locked(resource(kind))
    stage = STAGES[kind]
    state = ended(code, reason="OOMKilled")
    pod = stage_pod(live, run, stage, phase="Failed", containers=[container_status(stage, state)])
    decision = decide(live, pods=[pod], owned=[stage_job(live, run, stage)])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "OutOfMemory")
    assert "spec.pod.resources.limits.memory" in message
    assert [job["spec"]["suspend"] for job in desired(decision, "Job")] == [True]


# What keeps a pod from starting

BLOCKED = [
    (
        {"containers": [container_status("c", waiting("ImagePullBackOff", "not found"))]},
        "ImageCannotBePulled",
        "spec.pod.image",
    ),
    (
        {
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "message": 'persistentvolumeclaim "models" not found. preemption: 0/1',
                }
            ]
        },
        "VolumeClaimNotFound",
        "PersistentVolumeClaim models",
    ),
    (
        {
            "init": [
                container_status(
                    "stage", waiting("CreateContainerConfigError", 'secret "hub" not found')
                )
            ]
        },
        "SecretNotFound",
        "Secret hub",
    ),
    (
        {
            "conditions": [
                {"type": "PodScheduled", "status": "False", "message": "0/1 nodes: no gpu."}
            ]
        },
        "Unschedulable",
        "0/1 nodes: no gpu",
    ),
]


@pytest.mark.parametrize(("parts", "reason", "text"), BLOCKED, ids=[b[1] for b in BLOCKED])
def test_what_keeps_a_pod_from_starting(kind: str, parts: Object, reason: str, text: str) -> None:
    live, run = started(resource(kind))
    pod = stage_pod(live, run, "preflight", phase="Pending", **parts)
    decision = decide(live, pods=[pod], owned=[stage_job(live, run, "preflight")])
    assert ready(decision)[:2] == ("False", reason)
    assert text in ready(decision)[2]
    assert decision.status.phase == "Blocked"
    assert desired(decision, "Job"), "the run goes on once this is mended"


def test_a_pod_that_is_refused(kind: str) -> None:
    live, run = started(resource(kind))
    job = stage_job(live, run, "preflight")
    decision = decide(
        live, owned=[job], warnings={job["metadata"]["name"]: "exceeded quota: small."}
    )
    assert ready(decision)[:2] == ("False", "PodRefused")
    assert "exceeded quota" in ready(decision)[2]


# The engine beside the scorer


def _engine_pod(live: Object, run: str, restarts: int, last: Object, **scorer: Any) -> Object:
    engine = container_status("engine", waiting("CrashLoopBackOff"), lastState=last)
    engine["restartCount"] = restarts
    state = scorer.pop("state", waiting("PodInitializing"))
    return stage_pod(
        live, run, "evaluate", init=[engine], containers=[container_status("evaluate", state)]
    )


def test_an_engine_that_keeps_dying_stops_the_job() -> None:
    live, run, _ = locked(resource("EvalRun"))
    pod = _engine_pod(live, run, 3, ended(1, "RuntimeError: no kernel"))
    decision = decide(live, pods=[pod], owned=[stage_job(live, run, "evaluate")])
    assert ready(decision)[:2] == ("False", "EngineFailed")
    assert "RuntimeError: no kernel" in ready(decision)[2]
    (job,) = decision.desired
    assert job["spec"]["suspend"] is True


def test_an_engine_that_died_once_is_seen_but_not_given_up() -> None:
    live, run, _ = locked(resource("EvalRun"))
    pod = _engine_pod(live, run, 1, ended(1, "RuntimeError: no kernel"))
    decision = decide(live, pods=[pod], owned=[stage_job(live, run, "evaluate")])
    assert ready(decision)[0] == "False"
    assert decision.status.run.finished_at is None
    assert desired(decision, "Job")[0]["spec"]["suspend"] is False


def test_an_engine_between_two_restarts_is_no_failed_attempt() -> None:
    live, run, _ = locked(resource("EvalRun"))
    state = ended(137, reason="OOMKilled")
    engine = container_status("engine", state)
    pod = stage_pod(live, run, "evaluate", init=[engine])
    decision = decide(live, pods=[pod], owned=[stage_job(live, run, "evaluate")])
    assert decision.status.run.finished_at is None


def test_the_scorer_s_own_words_count_before_the_engine_s_end() -> None:
    """The kubelet ends the sidecar after the scorer: its exit code says nothing."""
    live, run, _ = locked(resource("EvalRun"))
    told = said("evaluate", "DatasetInvalid", "test.jsonl line 2: no query.")
    engine = container_status("engine", ended(143))
    scorer = container_status("evaluate", ended(65, json.dumps(told)))
    pod = stage_pod(live, run, "evaluate", phase="Failed", init=[engine], containers=[scorer])
    decision = decide(live, pods=[pod], owned=[stage_job(live, run, "evaluate")])
    assert ready(decision)[1:] == ("DatasetInvalid", "test.jsonl line 2: no query.")


# Held, changed


def test_suspended(kind: str) -> None:
    decision = decide(resource(kind, suspend=True))
    assert ready(decision)[:2] == ("Unknown", "Suspended")
    assert desired(decision, "Job")[0]["spec"]["suspend"] is True


def test_what_holds_or_retries_makes_no_new_run(kind: str) -> None:
    first = started(resource(kind))[1]
    assert started(resource(kind, suspend=True, retries={"limit": 9}))[1] == first
    assert started(resource(kind, retry="once more"))[1] != first


def test_a_default_that_is_written_out_makes_no_new_run() -> None:
    """Or else a new field of a later version would make every run anew."""
    first = started(resource("FineTuneJob"))[1]
    written = resource("FineTuneJob", method="SFT", tuner={"type": "LoRA"}, precision="Auto")
    assert started(written)[1] == first
    parsed = kinds.parse("FineTuneJob", resource("FineTuneJob")).spec
    assert set(spec_identity(parsed)) == {"model", "datasets", "output"}


def test_a_new_run_keeps_the_former_artifact_until_it_made_its_own() -> None:
    live, run, decision = _ended("FineTuneJob", 0, json.dumps(work_told("FineTuneJob")), "Complete")
    changed = after(live, decision)
    changed["spec"] = {**changed["spec"], "retry": "again"}
    changed["metadata"] = {**changed["metadata"], "generation": 2}
    new = decide(changed)
    assert new.status.run.id != run
    assert new.status.artifact.digest == digest("made")
    assert new.status.progress is None
    assert new.status.resolved is None
    assert not keeps(new, RUN, run), "the former run's Jobs go"


def test_a_new_digest_of_the_reference_makes_a_new_run() -> None:
    live = resource("EvalRun", model=from_("FineTuneJob", "other"))
    runs = {started(live, [with_artifact("FineTuneJob", "other", t)])[1] for t in ("one", "two")}
    assert len(runs) == 2


def _finished_eval() -> tuple[Object, Object, str, list[Object]]:
    """An EvalRun of a reference that has passed, the reference, the run and its pods."""
    other = with_artifact("FineTuneJob", "other", "tuned")
    live = resource("EvalRun", model=from_("FineTuneJob", "other"))
    live, run = started(live, [other])
    live["status"]["resolved"] = preflight_told("EvalRun")["resolved"][1:]
    pod = finished_pod(live, run, "evaluate", 0, json.dumps(work_told("EvalRun")))
    owned = [stage_job(live, run, "evaluate", "Complete")]
    finished = after(live, decide(live, [other], pods=[pod], owned=owned))
    return finished, other, run, [pod]


def test_a_finished_run_stands_though_its_reference_is_gone() -> None:
    finished, _, _, _ = _finished_eval()
    decision = decide(finished)
    assert ready(decision)[1] == "Passed"
    assert decision.status.to_dict() == finished["status"]


def test_a_run_that_was_held_comes_back_to_its_result() -> None:
    """The spec named something that is not there, and then the old reference again."""
    finished, other, run, pods = _finished_eval()
    wrong = {**finished, "spec": {**finished["spec"], "model": from_("FineTuneJob", "typo")}}
    wrong["metadata"] = {**finished["metadata"], "generation": 2}
    held = decide(wrong)
    assert ready(held)[1] == "ReferenceNotFound"
    assert keeps(held, RUN, run)
    back = {**finished, "status": held.status.to_dict()}
    back["metadata"] = {**finished["metadata"], "generation": 3}
    owned = [stage_job(finished, run, "evaluate", "Complete")]
    decision = decide(back, [other], pods=pods, owned=owned)
    assert ready(decision)[1] == "Passed"
    assert decision.status.run.finished_at


def test_other_images_do_not_make_a_new_run(kind: str) -> None:
    """The Job that runs is not touched; the next one has the new images."""
    live, run, decision = locked(resource(kind))
    other = replace(SETTINGS, images=Images(*(f"{name}:2" for name in "abcde")))
    again = decide(live, settings=other, owned=[stage_job(live, run, STAGES[kind])])
    assert again.status.run.id == run
    names = [item["metadata"]["name"] for item in decision.desired]
    assert [item["metadata"]["name"] for item in again.desired] == names


# For every place: pure, settled, valid

STATES = st.sampled_from(
    [
        None,
        RUNNING,
        ended(0),
        ended(0, json.dumps(work_told("FineTuneJob"))),
        ended(65, json.dumps(said("train", "DatasetEmpty", "Nothing."))),
        ended(75, "down"),
        ended(137, reason="OOMKilled"),
        waiting("ErrImagePull", "no"),
    ]
)


@given(
    state=STATES,
    stage=st.sampled_from(["preflight", "train"]),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    job=st.sampled_from([None, (), ("Complete",), ("Failed",)]),
    suspend=st.booleans(),
    page=st.dictionaries(
        st.sampled_from([contract.METRIC_STEP, contract.METRIC_TOTAL_STEPS, contract.METRIC_LOSS]),
        st.floats(0, 1e6),
    ),
    seconds=st.integers(0, 100_000),
)
def test_wherever_it_is(state, stage, phase, job, suspend, page, seconds) -> None:
    live, run, _ = locked(resource("FineTuneJob", suspend=suspend))
    if stage == "preflight":
        live, run = started(live)
    told = json.dumps(preflight_told("FineTuneJob"))
    if stage == "preflight" and state and state.get("terminated", {}).get("exitCode") == 0:
        state = ended(0, told)
    status = [container_status(stage, state)] if state else []
    parts: Any = {
        "pods": [stage_pod(live, run, stage, phase=phase, containers=status)],
        "owned": [stage_job(live, run, stage, *job)] if job is not None else [],
        "pages": {"pod": page},
    }
    now = NOW + timedelta(seconds=seconds)
    first = decide(live, now=now, **parts)
    assert first == decide(live, now=now, **parts), "a function of its inputs"
    written = first.status.to_dict()
    parsed = kinds.parse("FineTuneJob", {**live, "status": written}).status
    assert parsed.to_dict() == written, "what is written can be read"
    assert written["observedGeneration"] == 1
    again = decide(after(live, first), now=now, **parts)
    assert again.status.to_dict() == written, "decided once, it is settled"
    before = {c["type"]: c for c in live["status"]["conditions"]}
    for new in written["conditions"]:
        old = before.get(new["type"])
        same = old is not None and old["status"] == new["status"]
        assert (new["lastTransitionTime"] == (old or {}).get("lastTransitionTime")) == same or (
            seconds == 0
        )


# Pods that work together, and Kueue


def indexed(owner: Object, run: str, index: int, code: int | None, text: str = "") -> Object:
    """A pod of a Job whose pods work together; ``code`` is None while it runs."""
    state = ended(code, text) if code is not None else RUNNING
    phase = {None: "Running", 0: "Succeeded"}.get(code, "Failed")
    found = stage_pod(
        owner, run, "train", phase=phase, containers=[container_status("train", state)],
        name=f"pod-{index}-{code}",
    )  # fmt: skip
    key = "batch.kubernetes.io/job-completion-index"
    found["metadata"]["annotations"] = {key: str(index)}
    return found


TOGETHER = {"parallelism": {"nodes": 2}}


def test_the_first_of_several_pods_has_the_result() -> None:
    live, run, _ = locked(resource("FineTuneJob", **TOGETHER))
    other = json.dumps(said("train"))
    pods = [indexed(live, run, 1, 0, other), indexed(live, run, 0, None)]
    job = stage_job(live, run, "train")
    assert ready(decide(live, pods=pods, owned=[job]))[1] == "Training"
    pods = [pods[0], indexed(live, run, 0, 0, json.dumps(work_told("FineTuneJob")))]
    assert ready(decide(live, pods=pods, owned=[job]))[1] == "Succeeded"


def test_a_lost_pod_takes_the_others_with_it_and_is_one_attempt() -> None:
    live, run, _ = locked(resource("FineTuneJob", **TOGETHER))
    lost = json.dumps(said("train", "PeerLost", "Another pod of the run was lost."))
    pods = [indexed(live, run, index, 75, lost) for index in (0, 1)]
    decision = decide(live, pods=pods, owned=[stage_job(live, run, "train")])
    _, reason, message = ready(decision)
    assert reason == "Retrying"
    assert message.startswith("Attempt 1 failed (PeerLost)")


def queued(**spec: Any) -> Object:
    live = resource("FineTuneJob", **spec)
    live["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "gpus"}
    return live


def test_kueue_s_queue_is_told_and_nobody_else_holds_the_job() -> None:
    _, _, decision = locked(queued())
    (job,) = (item for item in desired(decision, "Job"))
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert "suspend" not in job["spec"]


def test_a_queued_run_that_is_suspended_gives_its_job_back() -> None:
    _, run, decision = locked(queued(suspend=True))
    assert ready(decision)[1] == "Suspended"
    assert desired(decision, "Job") == []
    assert not keeps(decision, RUN, run)
