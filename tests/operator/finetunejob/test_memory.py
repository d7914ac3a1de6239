"""What preflight is asked about memory, and what becomes of its answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operator_builders import (
    after,
    decide,
    desired,
    finished_pod,
    from_,
    preflight_told,
    ready,
    resource,
    said,
    stage_job,
    started,
    with_artifact,
)

from martlet_operator.reconcile.decision import Decision

Object = dict[str, Any]
GIB = 1 << 30
ESTIMATE = {
    "perAccelerator": 3 * GIB,
    "available": 8 * GIB,
    "breakdown": {"weights": 3 * GIB},
    "precision": "FP32",
    "microBatchSize": 4,
    "gradientCheckpointing": True,
}


def asked(live: Object, references: list[Object] | None = None, **parts: Any) -> Object:
    """What preflight is told of the estimate."""
    decision = decide(live, references, **parts)
    (plan,) = desired(decision, "ConfigMap")
    estimate: Object = json.loads(plan["data"]["plan.json"])["estimate"]
    return estimate


def checked(estimate: Object, **spec: Any) -> tuple[Object, str, Decision]:
    live = resource("FineTuneJob", **spec)
    begun, run = started(live)
    told = json.dumps({**preflight_told("FineTuneJob"), "estimate": estimate})
    pods = [finished_pod(live, run, "preflight", 0, told)]
    return begun, run, decide(begun, pods=pods, owned=[stage_job(live, run, "preflight")])


def condition(decision: Decision, kind: str) -> tuple[str, str, str]:
    found = next(c for c in decision.status.conditions if c.type == kind)
    return found.status, found.reason, found.message


@pytest.mark.parametrize(
    ("pod", "nodes", "capacity"),
    [
        ({}, None, None),
        ({"resources": {"limits": {"memory": "4Gi"}}}, None, 4 * GIB),
        ({"resources": {"limits": {"cpu": "2"}}}, None, None),
        ({"accelerator": "nvidia.com/gpu"}, None, None),
        ({"accelerator": "nvidia.com/gpu"}, 24 * GIB, 24 * GIB),
        ({"accelerator": "nvidia.com/gpu", "acceleratorMemory": "80Gi"}, 24 * GIB, 80 * GIB),
    ],
)
def test_capacity(pod: Object, nodes: int | None, capacity: int | None) -> None:
    estimate = asked(resource("FineTuneJob", pod=pod), accelerator_memory=nodes)
    assert estimate.get("capacity") == capacity
    assert estimate["onAccelerator"] is ("accelerator" in pod)


def test_the_shapes_of_an_adapter_are_its_base_s() -> None:
    tuned = with_artifact("FineTuneJob", "other", "tuned", base="base")
    live = resource("FineTuneJob", model=from_("FineTuneJob", "other"), tuner={"type": "Full"})
    assert asked(live, [tuned])["model"]["uri"] == "pvc://models/base"


def test_what_was_chosen_is_trained_with() -> None:
    _, _, decision = checked(ESTIMATE)
    assert condition(decision, "Fits") == (
        "True", "EstimateWithinCapacity", "Needs 3.0 GiB of 8.0 GiB.",
    )  # fmt: skip
    assert decision.status.estimate.micro_batch_size == 4
    plans = [json.loads(item["data"]["plan.json"]) for item in desired(decision, "ConfigMap")]
    params = next(plan["train"] for plan in plans if "train" in plan)["hyperparameters"]
    assert (params["microBatchSize"], params["gradientCheckpointing"]) == (4, "Enabled")


def test_unknown_memory_is_said_to_be_unknown() -> None:
    _, _, decision = checked({**ESTIMATE, "available": None})
    assert condition(decision, "Fits")[:2] == ("Unknown", "CapacityUnknown")
    assert ready(decision)[1] == "Training"


def test_what_cannot_be_estimated_is_trained_all_the_same() -> None:
    live = resource("FineTuneJob")
    begun, run = started(live)
    told = json.dumps({**preflight_told("FineTuneJob"), "estimateFailure": "KeyError: x"})
    pods = [finished_pod(live, run, "preflight", 0, told)]
    decision = decide(begun, pods=pods, owned=[stage_job(live, run, "preflight")])
    status, reason, message = condition(decision, "Fits")
    assert (status, reason) == ("Unknown", "EstimateFailed")
    assert "(KeyError: x); training begins without knowing" in message
    assert ready(decision)[1] == "Training"


def test_a_dry_run_stops_after_the_estimate_and_goes_on_when_told() -> None:
    begun, run, decision = checked(ESTIMATE, dryRun=True)
    assert ready(decision)[:2] == ("Unknown", "DryRun")
    assert condition(decision, "Fits")[0] == "True"
    assert desired(decision, "Job") == []
    held = after(begun, decision)
    again = decide({**held, "spec": {**held["spec"], "dryRun": False}})
    assert again.status.run.id == run
    assert ready(again)[1] == "Training"


def test_what_does_not_fit_is_refused_with_numbers() -> None:
    live = resource("FineTuneJob")
    begun, run = started(live)
    text = "Training needs 61.8 GiB and the accelerator has 24.0 GiB: ..."
    told = json.dumps(said("preflight", "InsufficientMemory", text))
    pods = [finished_pod(live, run, "preflight", 65, told)]
    decision = decide(begun, pods=pods, owned=[stage_job(live, run, "preflight", "Failed")])
    assert ready(decision) == ("False", "InsufficientMemory", text)
    assert condition(decision, "Fits") == ("False", "InsufficientMemory", text)
