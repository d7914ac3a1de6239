"""What a pod's status says."""

import json
from typing import Any

import pytest
from operator_builders import RUNNING, container_status, ended, pod, said, waiting

from martlet_operator.pods import states

Object = dict[str, Any]


def working(state: Object, **parts: Any) -> Object:
    return pod({}, containers=[container_status("work", state)], **parts)


@pytest.mark.parametrize(
    ("message", "parsed"),
    [
        (json.dumps(said("train")), True),
        ("", False),
        ("Traceback (most recent call last):", False),
        ('{"flow": "train"}', False),
        (json.dumps({**said("train"), "reason": "NeverHeardOf"}), False),
        (json.dumps({**said("train"), "newer": 1}), True),
    ],
)
def test_a_termination_message_or_somebody_else_s_text(message: str, parsed: bool) -> None:
    assert (states.parse_termination(message) is not None) is parsed


FAILURES = [
    (working(ended(65, json.dumps(said("x", "DatasetEmpty", "No rows.")))), "DatasetEmpty", True),
    (working(ended(75, json.dumps(said("x", "DiskFull", "Full.")))), "DiskFull", False),
    (working(ended(137, reason="OOMKilled")), "OutOfMemory", True),
    (working(ended(1, "Traceback: x")), "PodFailed", False),
    (working(ended(65, "no json")), "PodFailed", True),
    (pod({}, phase="Failed", reason="Evicted", message="disk pressure"), "PodFailed", False),
    (pod({}, phase="Failed", reason="NodeLost"), "PodFailed", False),
    (working(ended(0)), None, None),
    (working(RUNNING), None, None),
]


@pytest.mark.parametrize(("live", "reason", "user_error"), FAILURES)
def test_why_a_pod_failed(live: Object, reason: str | None, user_error: bool | None) -> None:
    trouble = states.failure(live)
    assert (trouble and trouble.reason) == reason
    assert (trouble and trouble.user_error) == user_error


def test_the_last_lines_of_a_log_are_told_and_no_more() -> None:
    trouble = states.failure(working(ended(1, "x" * 5000 + "the cause")))
    assert trouble
    assert trouble.message.endswith("the cause")
    assert len(trouble.message) < 800


BLOCKED = [
    (waiting("ErrImagePull"), "ImageCannotBePulled"),
    (waiting("InvalidImageName"), "ImageCannotBePulled"),
    (waiting("CreateContainerConfigError", 'secret "s" not found'), "SecretNotFound"),
    (
        waiting("CreateContainerConfigError", "couldn't find key OPENAI_API_KEY in Secret team/s"),
        "SecretNotFound",
    ),
    (waiting("CreateContainerConfigError", "run as root"), "PodRefused"),
    (waiting("CreateContainerError", "no such file"), "PodRefused"),
    (waiting("PodInitializing"), None),
    (waiting("ContainerCreating"), None),
    (RUNNING, None),
]


@pytest.mark.parametrize(("state", "reason"), BLOCKED)
def test_what_keeps_a_pod_from_starting(state: Object, reason: str | None) -> None:
    trouble = states.blocked(working(state, phase="Pending"))
    assert (trouble and trouble.reason) == reason
    assert states.blocked(working(state, phase="Succeeded")) is None


@pytest.mark.parametrize(("count", "found"), [(2, False), (3, True), (4, True)])
def test_a_container_that_keeps_dying(count: int, found: bool) -> None:
    status = container_status("work", RUNNING, lastState=ended(1, "boom"))
    live = pod({}, containers=[{**status, "restartCount": count}])
    assert (states.restarting(live, "work", 3) is not None) is found
    assert states.restarting(live, "other", 0) is None


def test_the_newest_pod_is_first() -> None:
    old = pod({}, created="2026-01-01T00:00:00Z", name="old")
    new = pod({}, created="2026-01-02T00:00:00Z", name="new")
    assert [p["metadata"]["name"] for p in states.newest_first([old, new])] == ["new", "old"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\ntwo", "one\ntwo"),
        ("x" * 500 + "\n" + "y" * 200, "y" * 200),
        ("x" * 900, "x" * 600),
        ("", None),
    ],
)
def test_the_last_lines_of_a_log_are_whole(text: str, said: str | None) -> None:
    found = states.container_failure("engine", {"exitCode": 1, "message": text}).message
    expected = f" Its last lines: {said}" if said else ""
    assert found == f"Container engine ended with exit code 1.{expected}"
