"""What Prometheus is told of rollouts, and that it is no longer told once they are over."""

from collections.abc import Iterator
from typing import Any

import pytest
from operator_builders import digest
from prometheus_client import REGISTRY

from martlet_api.inferenceservice import InferenceServiceStatus
from martlet_operator.rollout_metrics import RESULTS, RolloutMetrics, ended

AT = "2026-01-01T00:00:00Z"
EVIDENCE = {"guard": "ErrorRate", "verdict": "Pass", "toFail": -0.5, "toPass": 1.25, "state": "{}"}


def revision(name: str, **more: Any) -> dict[str, Any]:
    return {"revision": name, "digest": digest(name), "readyReplicas": 2, "weight": 90, **more}


def status(stable: str = "old", canary: str | None = None, **more: Any) -> InferenceServiceStatus:
    found: dict[str, Any] = {"stable": revision(stable), **more}
    if canary:
        told = {"state": "Stepping", "startedAt": AT, "evidence": [EVIDENCE], "weight": 10}
        found["canary"] = revision(canary, **told)
    return InferenceServiceStatus.model_validate(found)


def rejected(name: str) -> dict[str, Any]:
    told = {"pins": "Digest", "reason": "GuardFailed", "message": "Worse.", "at": AT}
    return {"rejected": [{"revision": name, "digest": digest(name), **told}]}


CHAT: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "chat"},
    "spec": {"replicas": 3, "canary": {"maxDuration": "2h"}},
}


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"namespace": "team", "service": "chat", **labels})


@pytest.fixture
def told() -> Iterator[RolloutMetrics]:
    made = RolloutMetrics()
    made.see(CHAT, status(), status(canary="new"), watched=100.0)
    yield made
    made.forget("team", "chat")


@pytest.mark.usefixtures("told")
def test_a_rollout_on_its_way() -> None:
    weight = "martlet_rollout_weight_percent"
    assert value(weight, revision="old", role="stable") == 90
    assert value(weight, revision="new", role="canary") == 10
    assert value("martlet_rollout_state", state="Stepping") == 1
    assert value("martlet_rollout_started_timestamp_seconds") == 1767225600
    assert value("martlet_rollout_deadline_timestamp_seconds") == 1767225600 + 7200
    assert value("martlet_rollout_guard_verdict", guard="ErrorRate", verdict="Pass") == 1
    assert value("martlet_rollout_guard_progress_ratio", guard="ErrorRate", towards="pass") == 1.25
    assert value("martlet_rollout_watched_timestamp_seconds") == 100
    assert value("martlet_service_ready_replicas", revision="old") == 2
    assert value("martlet_service_wanted_replicas") == 3


def test_without_a_canary_in_the_spec_there_is_no_deadline(told: RolloutMetrics) -> None:
    told.see({**CHAT, "spec": {"replicas": 3}}, status(canary="new"), status(canary="new"))
    assert value("martlet_rollout_state", state="Stepping") == 1
    assert value("martlet_rollout_deadline_timestamp_seconds") is None


def test_what_was_rejected_is_told_by_why_until_it_is_forgotten(told: RolloutMetrics) -> None:
    name = "martlet_service_rejected_revisions"
    told.see(CHAT, status(canary="new"), status(**rejected("new")))
    assert value(name, reason="GuardFailed") == 1
    told.see(CHAT, status(), status())
    assert value(name, reason="GuardFailed") is None


def test_between_two_windows_the_last_one_is_told(told: RolloutMetrics) -> None:
    told.see(CHAT, status(canary="new"), status(canary="new"))
    assert value("martlet_rollout_watched_timestamp_seconds") == 100


def test_what_is_over_is_gone(told: RolloutMetrics) -> None:
    told.see(CHAT, status(canary="new"), status("new"))
    for name in (
        "state",
        "deadline_timestamp_seconds",
        "guard_verdict",
        "guard_progress_ratio",
        "watched_timestamp_seconds",
    ):
        found = [f for f in REGISTRY.collect() if f.name == f"martlet_rollout_{name}"]
        assert [s for f in found for s in f.samples if s.labels["service"] == "chat"] == [], name
    assert value("martlet_service_ready_replicas", revision="old") is None
    assert value("martlet_service_ready_replicas", revision="new") == 2
    told.forget("team", "chat")
    assert value("martlet_service_ready_replicas", revision="new") is None


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        (status(), status(canary="new"), None),
        (status(canary="new"), status(canary="new"), None),
        (status(canary="new"), status("new"), "Promoted"),
        (status(canary="new"), status(**rejected("new")), "RolledBack"),
        (status(canary="new", **rejected("new")), status(**rejected("new")), "Withdrawn"),
        (status(canary="new"), status(canary="newer"), "Withdrawn"),
        (status(), status(**rejected("new")), None),
    ],
)
def test_how_a_rollout_ended(
    before: InferenceServiceStatus, after: InferenceServiceStatus, result: str | None
) -> None:
    assert ended(before, after) == result


def test_ends_are_counted(told: RolloutMetrics) -> None:
    """From 0 on, or Prometheus would see no increase."""
    name = "martlet_rollouts_ended_total"
    assert [value(name, result=result) for result in RESULTS] == [0, 0, 0]
    told.see(CHAT, status(canary="new"), status("new"))
    told.see(CHAT, status("new"), status("new"))
    assert [value(name, result=result) for result in RESULTS] == [1, 0, 0]
    told.forget("team", "chat")
    assert value(name, result="Promoted") is None
