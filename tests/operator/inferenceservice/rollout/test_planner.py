"""Room for another revision."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_api.canary import Canary, CanaryStep
from martlet_operator.conditions.fold import Ready
from martlet_operator.inferenceservice.rollout import planner, shares
from martlet_operator.inferenceservice.rollout.planner import Strategy
from martlet_operator.inferenceservice.rollout.state import Rollout

STEPS = [CanaryStep(weight=10), CanaryStep(weight=50)]


def rollout(step: int = 0, spare: int | None = None) -> Rollout:
    began = datetime(2026, 1, 2, tzinfo=UTC)
    return Rollout("chat-new", "d", "chat-old", began, step=step, spare=spare)


@pytest.mark.parametrize(
    ("strategy", "wanted", "free", "spare"),
    [
        ("Auto", 4, None, None),
        ("Auto", 4, 4, None),
        ("Auto", 4, 1, 1),
        ("Auto", 4, 0, 0),
        ("Auto", 1, 1, None),
        ("Auto", 1, 0, "Replacing the only pod"),
        ("Surge", 4, 9, None),
        ("Surge", 4, 3, "needs accelerators for 4 more pods, and there are for 3"),
        ("Replace", 4, 9, 0),
        ("Replace", 4, None, 0),
        ("Replace", 1, 9, "Replacing the only pod"),
    ],
)
def test_spare(strategy: Strategy, wanted: int, free: int | None, spare: int | str | None) -> None:
    found = planner.spare(strategy, wanted, free)
    if isinstance(spare, str):
        assert isinstance(found, Ready)
        assert (found.status, found.reason) == ("Unknown", "NoRoom")
        assert spare in found.message
    else:
        assert found == spare


def test_the_price_is_told() -> None:
    assert planner.cost(4, None) is None
    assert planner.cost(4, 0) == (
        "There is room for 0 pods beside the 4 that serve: until it ends, the revision that has "
        "all requests has 3 of 4 pods."
    )


@given(
    wanted=st.integers(1, 40),
    free=st.integers(0, 60),
    step=st.integers(0, 2),
    strategy=st.sampled_from(["Auto", "Replace"]),
)
def test_what_is_asked_for_has_room(wanted: int, free: int, step: int, strategy: Strategy) -> None:
    """At every step both revisions live, and together take no more than there is."""
    room = planner.spare(strategy, wanted, free)
    if isinstance(room, Ready):
        assert wanted + free < 2 or strategy == "Replace"
        return
    counts = shares.replicas(Canary(steps=STEPS), wanted, rollout(step, room))
    assert min(counts.values()) >= 1
    assert sum(counts.values()) <= wanted + free
    assert max(counts.values()) <= wanted


def test_without_steps_all_pods_change_at_once() -> None:
    assert shares.replicas(None, 4, rollout()) == {"chat-new": 4, "chat-old": 4}
    one = Canary(steps=[CanaryStep(weight=1)])
    assert shares.replicas(one, 4, rollout(0, 0)) == {"chat-new": 1, "chat-old": 3}
