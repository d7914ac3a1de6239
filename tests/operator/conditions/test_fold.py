"""Conditions and the phase."""

from datetime import timedelta

import pytest
from operator_builders import NOW

from martlet_api.conditions import ConditionType, Reason
from martlet_operator.conditions.fold import Ready, find, phase, with_condition

READY, RESOLVED = ConditionType.READY, ConditionType.RESOLVED
LATER = NOW + timedelta(minutes=5)


def test_the_transition_time_moves_with_the_status_alone() -> None:
    first = with_condition(None, READY, Ready("Unknown", Reason.TRAINING, "1"), 1, NOW)
    same = with_condition(first, READY, Ready("Unknown", Reason.RETRYING, "2"), 2, LATER)
    assert same[0].last_transition_time == first[0].last_transition_time
    assert (same[0].reason, same[0].message, same[0].observed_generation) == ("Retrying", "2", 2)
    moved = with_condition(same, READY, Ready("True", Reason.SUCCEEDED, "3"), 2, LATER)
    assert moved[0].last_transition_time == "2026-01-02T03:09:05Z"


def test_other_conditions_stay_in_order() -> None:
    one = with_condition(None, RESOLVED, Ready("True", Reason.REVISIONS_LOCKED, "r"), 1, NOW)
    both = with_condition(one, READY, Ready("Unknown", Reason.TRAINING, "t"), 1, NOW)
    assert [c.type for c in both] == ["Ready", "Resolved"]
    assert find(both, RESOLVED) == one[0]
    assert find(None, READY) is None


def test_a_long_message_is_cut() -> None:
    (found,) = with_condition(None, READY, Ready("False", Reason.POD_FAILED, "x" * 9999), 1, NOW)
    assert len(found.message) == 2000


@pytest.mark.parametrize(
    ("status", "reason", "finished", "expected"),
    [
        ("Unknown", Reason.TRAINING, False, "Training"),
        ("True", Reason.SERVING, False, "Serving"),
        ("False", Reason.UNSCHEDULABLE, False, "Blocked"),
        ("False", Reason.DATASET_EMPTY, True, "Failed"),
        ("Unknown", Reason.REFERENCE_NOT_FOUND, False, "Waiting"),
        ("False", Reason.GATE_NOT_PASSED, True, "Waiting"),
        ("Unknown", Reason.SCALED_TO_ZERO, False, "Idle"),
    ],
)
def test_phase(status: str, reason: Reason, finished: bool, expected: str) -> None:
    assert phase(Ready(status, reason, ""), finished=finished) == expected  # type: ignore[arg-type]
