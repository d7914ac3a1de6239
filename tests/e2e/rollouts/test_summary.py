from __future__ import annotations

import pytest
from rollout_builders import record

from rollouts.load import Records
from rollouts.summary import lines, percentiles, summarize


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], {}),
        ([3.0], {50: 3.0, 95: 3.0, 99: 3.0}),
        ([float(n) for n in range(100, 0, -1)], {50: 50.0, 95: 95.0, 99: 99.0}),
    ],
)
def test_percentiles_are_values_that_were_seen(
    values: list[float], found: dict[int, float]
) -> None:
    assert percentiles(values) == found


def test_lost_requests_count_by_what_became_of_them_and_in_no_time() -> None:
    found = summarize(
        Records(
            all=[
                record(0, first=0.2, took=1.0),
                record(1, "green", kind="completion", first=9.0, took=2.0),
                record(2, None, error="HTTP 500: one", took=50.0),
                record(3, None, error="HTTP 500: another", took=50.0),
                record(4, None, error="cut off: early", took=50.0),
            ],
            skipped=2,
        )
    )
    assert (found.requests, found.lost, found.skipped, found.wrong) == (5, 3, 2, 0)
    assert found.by_revision == {"blue": 1, "green": 1}
    assert found.errors == {"HTTP 500": 2, "cut off": 1}
    assert (found.first_token[99], found.whole[99]) == (0.2, 2.0)
    assert lines(found)[0] == "5 requests, 3 lost, 2 not sent"


def test_a_load_without_a_request_has_a_summary() -> None:
    assert lines(summarize(Records()))[0] == "0 requests, 0 lost"
