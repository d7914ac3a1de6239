"""Training waits for a person where the spec says so, and for nobody else's approval."""

from __future__ import annotations

import json
from typing import Any

from operator_builders import (
    after,
    decide,
    desired,
    digest,
    finished_pod,
    keeps,
    preflight_told,
    ready,
    resource,
    stage_job,
    started,
)

from martlet_api import labels
from martlet_operator.reconcile.decision import Decision

Object = dict[str, Any]
SAMPLE = {"sample": "pvc://models/thing/r-preflight/audit.jsonl", "digest": digest("s"), "rows": 7}


def checked(annotations: Object | None = None, **spec: Any) -> tuple[Object, str, Decision]:
    """A job whose preflight is done: resource, run and decision."""
    live = resource("FineTuneJob", **spec)
    live["metadata"]["annotations"] = annotations or {}
    begun, run = started(live)
    told = json.dumps({**preflight_told("FineTuneJob"), "audit": SAMPLE})
    done = finished_pod(live, run, "preflight", 0, told)
    owned = [stage_job(live, run, "preflight", "Complete")]
    return begun, run, decide(begun, pods=[done], owned=owned)


REQUIRED = {"audit": {"approval": "Required"}}


def test_without_approval_nothing_is_asked_for() -> None:
    _, run, decision = checked(**REQUIRED)
    status, reason, message = ready(decision)
    assert (status, reason) == ("Unknown", "WaitingForApproval")
    assert message.endswith(
        "kubectl annotate finetunejob thing -n team --overwrite "
        f"martlet.dev/approved-sample={SAMPLE['digest']}"
    )
    assert "7 rows in pvc://models/thing/r-preflight/audit.jsonl" in message
    assert desired(decision, "Job") == []
    assert keeps(decision, labels.RUN, run)
    assert decision.status.audit.to_dict() == SAMPLE


def test_the_sample_s_digest_approves() -> None:
    _, _, decision = checked({labels.APPROVED_SAMPLE: SAMPLE["digest"]}, **REQUIRED)
    assert ready(decision)[1] == "Training"
    (job,) = desired(decision, "Job")
    assert job["metadata"]["labels"][labels.STAGE] == "train"


def test_approval_of_other_rows_does_not() -> None:
    _, _, decision = checked({labels.APPROVED_SAMPLE: digest("other")}, **REQUIRED)
    assert ready(decision)[1] == "WaitingForApproval"


def test_to_require_approval_later_starts_no_new_run() -> None:
    begun, run, decision = checked()
    assert ready(decision)[1] == "Training"
    later = after({**begun, "spec": {**begun["spec"], **REQUIRED}}, decision)
    again = decide(later)
    assert again.status.run.id == run
    assert ready(again)[1] == "WaitingForApproval"
