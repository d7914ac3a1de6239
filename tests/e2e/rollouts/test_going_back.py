from __future__ import annotations

from dataclasses import replace

import pytest
from rollout_builders import BEGIN, record, route, status

from rollouts.going_back import GoingBack, going_back
from rollouts.load import Records
from rollouts.timeline import Timeline

ROUTES = [
    route(0, 100, 0),
    route(10, 75, 25, accepted=False),
    route(11, 75, 25),
    route(30, 100, 0, accepted=False),
    route(30.5, 100, 0),
]
NAMES = {"r-blue": "blue", "r-green": "green"}


def seen(*until: float) -> Timeline:
    statuses = [replace(status(at, "Stepping"), evidence_until=BEGIN + at) for at in until]
    return Timeline(statuses=statuses, routes=list(ROUTES), names=NAMES)


def parts(found: GoingBack | None) -> list[float | None]:
    assert found is not None
    values = (found.evidence, found.decision, found.observed, found.last)
    return [None if value is None else round(value, 6) for value in values]


BAD = [
    record(5),
    record(14.5, None, error="HTTP 500: no"),
    record(20, "green"),
    record(31, None, error="HTTP 500: no", took=0.25),
    record(40),
]


def test_each_part_begins_where_the_one_before_ends() -> None:
    found = going_back(seen(10, 20, 29), Records(BAD), "green")
    assert parts(found) == [14.0, 1.0, 0.5, 0.75]
    assert found is not None
    assert found.whole == pytest.approx(16.25)
    assert str(found).startswith("16.25 s from the first bad answer: evidence 14.00 s, decision 1")


def test_pods_that_die_need_no_evidence() -> None:
    found = going_back(seen(10), Records(BAD[:3]), "green")
    assert parts(found) == [None, 15.0, 0.5, 0.0]


def test_wrong_answers_of_the_candidate_are_bad_and_of_the_stable_one_are_not() -> None:
    wrong = [replace(record(8), right=False), replace(record(19.5, "green"), right=False)]
    assert parts(going_back(seen(29), Records(wrong), "green")) == [9.0, 1.0, 0.5, 0.0]


def test_what_was_good_or_stayed_did_not_go_back() -> None:
    assert going_back(seen(29), Records(BAD[:1]), "green") is None
    stays = replace(seen(29), routes=ROUTES[:3])
    assert going_back(stays, Records(BAD), "green") is None
