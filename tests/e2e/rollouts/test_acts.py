from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rollout_builders import Object, service

from rollouts.acts import KillOperator, When, age_of_rollout, in_first_step
from rollouts.timeline import Timeline


def canary(state: str, since: float | None = None, started: float = 60) -> Object:
    """``since`` and ``started`` in seconds ago."""
    now = datetime.now(UTC)
    moment = None if since is None else (now - timedelta(seconds=since)).isoformat()
    began = (now - timedelta(seconds=started)).isoformat()
    return service(canary={"state": state, "since": moment, "startedAt": began, "weight": 20})


@pytest.mark.parametrize(
    ("state", "since", "found"),
    [
        ("Loading", None, False),
        ("Stepping", None, False),
        ("Stepping", 1, False),
        ("Stepping", 10, True),
        ("Baking", 10, False),
    ],
)
def test_a_canary_is_in_its_step_once_it_has_had_requests(
    state: str, since: float | None, found: bool
) -> None:
    assert in_first_step(canary(state, since)) is found
    assert not in_first_step(service())


def test_the_age_of_a_rollout_counts_from_its_beginning() -> None:
    assert age_of_rollout(canary("Stepping", 1, started=90)) == pytest.approx(90, abs=5)
    assert age_of_rollout(service()) == 0


def test_something_is_done_once_and_told() -> None:
    timeline, done = Timeline(), []
    act = When(in_first_step, lambda: done.append("now"), "spec put back")
    for item in (canary("Loading"), canary("Stepping", 9), canary("Stepping", 10)):
        act(item, timeline)
    assert done == ["now"]
    assert act.seen["weight"] == 20
    assert [mark.text for mark in timeline.marks] == ["spec put back"]


def test_the_operator_is_killed_once_in_each_state() -> None:
    asked: list[tuple[str, ...]] = []
    kill = KillOperator(lambda *words: asked.append(words), frozenset({"Loading", "Baking"}))  # type: ignore[arg-type]
    timeline = Timeline()
    for state in ("Loading", "Loading", "Stepping", "Baking", "Baking"):
        kill(canary(state), timeline)
    kill(service(), timeline)
    assert kill.killed_in == {"Loading", "Baking"}
    assert len(asked) == len(timeline.marks) == 2
    assert asked[0][:3] == ("delete", "pod", "-n")
