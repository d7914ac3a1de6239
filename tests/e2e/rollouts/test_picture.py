from __future__ import annotations

import struct
from pathlib import Path

from rollout_builders import BEGIN, record, route, status

from rollouts.load import Records
from rollouts.picture import DPI, HEIGHT, NOBODY, WIDTH, Band, drawing, save
from rollouts.timeline import Mark, Timeline

TIMELINE = Timeline(
    statuses=[
        status(-3),
        status(4, "Loading"),
        status(10, "Stepping", step=1),
        status(12, "Stepping", step=1, message="fewer requests to go"),
        status(20, "Stepping", step=2),
        status(28, "RollingBack", step=2),
        status(29),
    ],
    routes=[
        route(-3, 100, 0),
        route(10, 80, 20, accepted=False),
        route(11, 80, 20),
        route(21, 50, 50),
        route(29, 100, 0),
    ],
    marks=[Mark(BEGIN + 4, "asks for green")],
    names={"r-blue": "blue", "r-green": "green"},
)
RECORDS = Records(
    all=[
        record(0),
        record(12, "green"),
        record(12.5, kind="completion"),
        record(13, "green", first=0.3),
        record(22, None, error="HTTP 500: no", first=None),
        record(29, None),
        record(33.5),
    ]
)


def test_seconds_count_from_the_first_request_to_the_end_of_all() -> None:
    assert drawing(TIMELINE, RECORDS).seconds == 34


def test_a_band_is_a_state_and_a_step() -> None:
    assert drawing(TIMELINE, RECORDS).bands == [
        Band(4, 10, "Loading", "Loading\ngreen"),
        Band(10, 20, "Stepping", "Step 1\ngreen"),
        Band(20, 28, "Stepping", "Step 2\ngreen"),
        Band(28, 29, "RollingBack", "Rolling back\ngreen"),
    ]


def test_weights_are_those_that_the_gateway_has_taken() -> None:
    assert drawing(TIMELINE, RECORDS).weights == {
        "blue": [(0, 100), (11, 80), (21, 50), (29, 100), (34, 100)],
        "green": [(0, 0), (11, 20), (21, 50), (29, 0), (34, 0)],
    }


def test_answers_are_counted_by_who_gave_them_and_lost_ones_apart() -> None:
    found = drawing(TIMELINE, RECORDS)
    per_bin = {name: [(i, rate) for i, rate in enumerate(rates) if rate] for name, rates in
               found.rates.items()}  # fmt: skip
    assert per_bin == {
        "blue": [(0, 0.5), (6, 0.5), (16, 0.5)],
        "green": [(6, 1.0)],
        NOBODY: [(14, 0.5)],
    }
    assert found.first["green"] == [(12, 0.1), (13, 0.3)]
    assert found.lost == [22]
    assert found.marks == [(4, "asks for green")]


def test_no_requests_at_all_are_drawn_as_well(tmp_path: Path) -> None:
    found = drawing(TIMELINE, Records())
    assert (found.seconds, found.rates, found.lost) == (32, {}, [])
    assert save(found, "no traffic", tmp_path / "none.png").stat().st_size > 0


def test_the_picture_is_a_png_of_its_size(tmp_path: Path) -> None:
    path = save(drawing(TIMELINE, RECORDS), "errors: RolledBack", tmp_path / "new" / "it.png")
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:]) == (WIDTH * DPI, HEIGHT * DPI)
