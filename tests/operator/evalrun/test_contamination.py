"""Test sets that a model was trained on: warned of, or refused before an engine is asked for."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from operator_builders import (
    WORK,
    after,
    decide,
    desired,
    digest,
    finished_pod,
    from_,
    ready,
    resolved_input,
    resource,
    said,
    stage_job,
    went_well,
    with_artifact,
    work_told,
)

Object = dict[str, Any]

WRITTEN = {
    "resource": "FineTuneJob/tuned",
    "uri": "pvc://models/tuned/r-preflight/asked.digests",
    "digest": digest("asked"),
    "rows": 3000,
}
SUITE = {
    "name": "village",
    "benchmark": "general_qa",
    "dataset": {"uri": "pvc://data/test.jsonl", "maxSamples": 400},
    "thresholds": [{"metric": "Rouge-L-R", "min": 0.5}],
}
CLEAN = {"suite": "village", "rows": 400, "trained": 0}
FOUND = {**CLEAN, "trained": 12, "lines": [3, 9, 40, 41, 98], "by": ["FineTuneJob/tuned"]}


def made(kind: str, name: str, *trained_on: Object, old: bool = False) -> Object:
    """What has an artifact; an ``old`` one says nothing of what it was trained on."""
    target = with_artifact(kind, name, name)
    if not old:
        target["status"]["artifact"]["trainedOn"] = list(trained_on)
    return target


TUNED = made("FineTuneJob", "tuned", WRITTEN)
SMALL = made("QuantizedModel", "small", WRITTEN)
OLD = made("FineTuneJob", "tuned", old=True)


def run_of(name: str = "thing", model: Object | None = None, **changes: Any) -> Object:
    live = resource("EvalRun", name, **{"suites": [SUITE], **changes})
    live["spec"]["model"] = model or from_("FineTuneJob", "tuned")
    return live


def ended(live: Object, stage: str, told: Object) -> Object:
    run = live["status"]["run"]["id"]
    pod = finished_pod(live, run, stage, 0, json.dumps(told))
    return {"pods": [pod], "owned": [stage_job(live, run, stage, "Complete")]}


def preflight_told(*overlaps: Object, unknown: list[str] | None = None) -> Object:
    found = [resolved_input("suite-village", "pvc://data/test.jsonl", "test")]
    compared = {"suites": list(overlaps), "unknown": unknown or []}
    return said("preflight", resolved=found, contamination=compared)


def checked(
    live: Object, told: Object, model: Object = TUNED, peers: list[Object] | None = None
) -> tuple[Object, Any]:
    """The resource after its preflight, and the decision."""
    begun = after(live, decide(live, [model], peers=peers or []))
    decision = decide(begun, [model], peers=peers or [], **ended(begun, "preflight", told))
    return after(begun, decision), decision


def stage_of(decision: Any) -> str | None:
    jobs = desired(decision, "Job")
    return jobs[0]["metadata"]["labels"]["martlet.dev/stage"] if jobs else None


def plan_of(decision: Any) -> Object:
    plan: Object = json.loads(desired(decision, "ConfigMap")[0]["data"]["plan.json"])
    return plan


def test_preflight_is_told_what_the_model_was_trained_on() -> None:
    decision = decide(run_of(), [TUNED])
    assert stage_of(decision) == "preflight"
    plan = plan_of(decision)
    assert [item["name"] for item in plan["inputs"]] == ["suite-village"]
    assert plan["contamination"]["trainedOn"] == [WRITTEN]
    (suite,) = plan["contamination"]["suites"]
    assert (suite["name"], suite["benchmark"], suite["maxSamples"]) == (
        "suite-village", "general_qa", 400,
    )  # fmt: skip
    (job,) = desired(decision, "Job")
    pod = job["spec"]["template"]["spec"]
    assert {"claim-models", "claim-data"} <= {volume["name"] for volume in pod["volumes"]}
    assert all(
        mount.get("readOnly")
        for mount in pod["containers"][0]["volumeMounts"]
        if mount["name"].startswith("claim-")
    )


@pytest.mark.parametrize(
    ("overlap", "warning"),
    [
        (CLEAN, None),
        (
            FOUND,
            "12 of 400 rows of suite village (lines 3, 9, 40, 41, 98, ...) are in the training "
            "set of FineTuneJob/tuned: their scores may be memory.",
        ),
        (
            {**FOUND, "trained": 1, "lines": [7]},
            "1 of 400 rows of suite village (line 7) is in the training set of FineTuneJob/tuned: "
            "their scores may be memory.",
        ),
    ],
)
def test_a_verdict_warns_of_rows_that_were_trained_on(overlap: Object, warning: str | None) -> None:
    live, decision = checked(run_of(), preflight_told(overlap))
    assert stage_of(decision) == "evaluate"
    assert live["status"]["contamination"]["suites"] == [overlap]
    assert [item["name"] for item in live["status"]["resolved"]] == ["suite-village"]
    decision = decide(live, [TUNED], **ended(live, "evaluate", work_told("EvalRun")))
    status, reason, message = ready(decision)
    assert (status, reason) == ("True", "Passed")
    assert message == decision.status.verdict.message
    scored = "Scored: village Rouge-L-R 0.9 (40 samples)."
    assert message == (f"{scored} {warning}" if warning else scored)


REFUSE = {"contamination": "Refuse"}


def test_refused_it_ends_before_an_engine_is_asked_for() -> None:
    live, decision = checked(run_of(**REFUSE), preflight_told(FOUND))
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "Contaminated")
    assert "12 of 400 rows of suite village (lines 3, 9, 40, 41, 98, ...)" in message
    assert message.endswith("Take them out, or set spec.contamination to Warn.")
    assert decision.desired == []
    assert decision.status.run.finished_at
    assert decision.status.verdict is None
    again = decide(live, [TUNED])
    assert (again.desired, ready(again)) == ([], ready(decision))


def test_what_is_clean_is_scored_though_it_might_be_refused() -> None:
    _, decision = checked(run_of(**REFUSE), preflight_told(CLEAN))
    assert stage_of(decision) == "evaluate"


UNKNOWN = [
    (OLD, None, "FineTuneJob/tuned: an older version made it, and did not write down what it was"),
    (
        TUNED,
        preflight_told(CLEAN, unknown=["FineTuneJob/tuned: asked.digests was changed."]),
        "FineTuneJob/tuned: asked.digests was changed.",
    ),
    (
        made("FineTuneJob", "tuned", WRITTEN, {"resource": "FineTuneJob/older"}),
        preflight_told(CLEAN),
        "FineTuneJob/older: an older version made it",
    ),
    (TUNED, said("preflight", resolved=preflight_told()["resolved"]), "compared nothing"),
]


@pytest.mark.parametrize(("model", "told", "says"), UNKNOWN)
def test_what_is_not_known_is_not_clean(model: Object, told: Object | None, says: str) -> None:
    told = told or preflight_told()
    live, decision = checked(run_of(**REFUSE), told, model)
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "TrainingSetUnknown")
    assert says in message
    assert "Set a new spec.retry there" in message
    assert decision.desired == []
    assert says in live["status"]["contamination"]["unknown"][0]
    _, decision = checked(run_of(), told, model)
    assert stage_of(decision) == "evaluate"
    assert says in decision.status.contamination.unknown[0]


def test_a_model_that_no_fine_tune_job_made_has_no_training_set() -> None:
    live = run_of(model=from_("QuantizedModel", "small"), **REFUSE)
    _, decision = checked(live, preflight_told(), made("QuantizedModel", "small"))
    assert ready(decision)[:2] == ("False", "TrainingSetUnknown")
    assert "No FineTuneJob of this namespace made the model" in ready(decision)[2]


def test_an_old_job_is_scored_without_a_comparison() -> None:
    decision = decide(run_of(), [OLD])
    assert "contamination" not in plan_of(decision)


def test_rows_of_a_benchmark_s_folder_are_not_looked_at() -> None:
    folder = {"name": "ceval", "benchmark": "ceval", "dataset": {"uri": "pvc://data/ceval"}}
    plan = plan_of(decide(run_of(suites=[folder]), [TUNED]))
    assert "contamination" not in plan
    both = plan_of(decide(run_of(suites=[SUITE, folder]), [TUNED]))
    assert [item["name"] for item in both["contamination"]["suites"]] == ["suite-village"]


PINNED = {**SUITE, "dataset": {**SUITE["dataset"], "digest": digest("test")}}


def scored(overlap: Object, name: str = "first") -> Object:
    """An EvalRun that has its verdict."""
    live, _ = checked(run_of(name), preflight_told(overlap))
    return after(live, decide(live, [TUNED], **ended(live, "evaluate", work_told("EvalRun"))))


def pinned(**changes: Any) -> Object:
    live = run_of("second", **changes)
    return {**live, "spec": {**live["spec"], "suites": [PINNED]}}


def without_count(live: Object) -> Object:
    """As an older version left it."""
    gone = copy.deepcopy(live)
    del gone["status"]["contamination"]
    return gone


@pytest.mark.parametrize("contamination", ["Warn", "Refuse"])
def test_known_scores_are_not_judged_before_the_rows_were_compared(contamination: str) -> None:
    live = pinned(contamination=contamination)
    peers = [without_count(scored(FOUND))]
    decision = decide(live, [TUNED], peers=peers)
    assert stage_of(decision) == "preflight"
    plan = plan_of(decision)
    assert plan.get("inputs", []) == []
    (suite,) = plan["contamination"]["suites"]
    assert suite["digest"] == digest("test")
    begun = after(live, decision)
    told = {**preflight_told(FOUND), "resolved": []}
    decision = decide(begun, [TUNED], peers=peers, **ended(begun, "preflight", told))
    expected = {"Warn": ("True", "Passed"), "Refuse": ("False", "Contaminated")}
    assert ready(decision)[:2] == expected[contamination]
    assert "12 of 400 rows" in ready(decision)[2]
    assert decision.desired == []


@pytest.mark.parametrize(
    ("overlap", "contamination", "reason"),
    [
        (FOUND, "Warn", "Passed"),
        (FOUND, "Refuse", "Contaminated"),
        (CLEAN, "Refuse", "Passed"),
    ],
)
def test_what_was_counted_for_another_needs_no_pod(
    overlap: Object, contamination: str, reason: str
) -> None:
    decision = decide(pinned(contamination=contamination), [TUNED], peers=[scored(overlap)])
    assert ready(decision)[1] == reason
    assert decision.desired == []
    assert decision.status.contamination.suites[0].trained == overlap["trained"]


def test_what_was_counted_of_other_data_or_other_training_is_not_taken() -> None:
    peers = [scored(CLEAN)]
    other = made("FineTuneJob", "tuned", {**WRITTEN, "digest": digest("others asked")})
    assert stage_of(decide(pinned(**REFUSE), [other], peers=peers)) == "preflight"
    fewer = {**PINNED, "dataset": {**PINNED["dataset"], "maxSamples": 5}}
    live = pinned(**REFUSE)
    live["spec"]["suites"] = [fewer]
    assert stage_of(decide(live, [TUNED], peers=peers)) == "preflight"
    unread = copy.deepcopy(peers)
    unread[0]["status"]["contamination"]["unknown"] = ["FineTuneJob/tuned: gone."]
    assert stage_of(decide(pinned(**REFUSE), [TUNED], peers=unread)) == "preflight"


def test_all_training_sets_of_the_chain_are_compared() -> None:
    """FineTuneJob/first, then FineTuneJob/tuned over it, then QuantizedModel/small."""
    first = {**WRITTEN, "resource": "FineTuneJob/first", "digest": digest("first asked")}
    begun_with = made("FineTuneJob", "first", first)
    job = ran(resource("FineTuneJob", "tuned", model=from_("FineTuneJob", "first"),
                       tuner={"merge": True}), begun_with)  # fmt: skip
    own = {**WRITTEN, "uri": job["status"]["trainedOn"]["uri"]}
    assert job["status"]["artifact"]["trainedOn"] == [own, first]
    small = ran(resource("QuantizedModel", "small", model=from_("FineTuneJob", "tuned")), job)
    assert small["status"]["artifact"]["trainedOn"] == [own, first]
    live = run_of(model=from_("QuantizedModel", "small"))
    assert plan_of(decide(live, [small]))["contamination"]["trainedOn"] == [own, first]


def ran(live: Object, begun_with: Object) -> Object:
    """A FineTuneJob or QuantizedModel from its first look to its artifact."""
    kind = live["kind"]
    begun = after(live, decide(live, [begun_with]))
    names = [item["name"] for item in plan_of(decide(begun, [begun_with]))["inputs"]]
    told = said("preflight", resolved=[resolved_input(name, "pvc://data/x") for name in names])
    if kind == "FineTuneJob":
        told["trainedOn"] = {**WRITTEN, "uri": f"pvc://models/{begun['status']['run']['id']}"}
    locked = decide(begun, [begun_with], **ended(begun, "preflight", told))
    assert stage_of(locked) == WORK[kind][0]
    live = after(begun, locked)
    done = went_well(live, live["status"]["run"]["id"], WORK[kind])
    decision = decide(live, [begun_with], **done)
    assert ready(decision)[1] == "Succeeded"
    return after(live, decision)


def test_a_new_run_leaves_the_former_artifact_what_it_was_trained_on() -> None:
    begun_with = made("FineTuneJob", "first")
    job = ran(resource("FineTuneJob", "tuned", model=from_("FineTuneJob", "first"),
                       tuner={"merge": True}), begun_with)  # fmt: skip
    known = job["status"]["artifact"]["trainedOn"]
    job["spec"]["datasets"] = [{"uri": "pvc://data/other.jsonl"}]
    anew = after(job, decide(job, [begun_with]))
    assert "trainedOn" not in anew["status"]
    assert anew["status"]["artifact"]["trainedOn"] == known
    plan = plan_of(decide(run_of(), [anew]))
    assert plan["contamination"]["trainedOn"] == known


def test_a_job_whose_preflight_was_an_older_version_s_is_known_to_be_unknown() -> None:
    begun_with = made("FineTuneJob", "first")
    live = resource("FineTuneJob", "tuned", model=from_("FineTuneJob", "first"),
                    tuner={"merge": True})  # fmt: skip
    begun = after(live, decide(live, [begun_with]))
    told = said("preflight", resolved=[resolved_input("dataset-0", "pvc://data/x")])
    live = after(begun, decide(begun, [begun_with], **ended(begun, "preflight", told)))
    decision = decide(live, [begun_with], **ended(live, "train", work_told("FineTuneJob")))
    assert [found.to_dict() for found in decision.status.artifact.trained_on] == [
        {"resource": "FineTuneJob/tuned"}
    ]
