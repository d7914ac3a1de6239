"""A pod that was killed between rungs, or after the last."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quantize_builders import FP8, GPTQ32, W8A8, Ladder

from martlet_api.quantizedmodel import Rung
from martlet_runtime.quantize import flow, rung

pytestmark = pytest.mark.torch


class Killed(BaseException):
    """What no code of ours catches, as SIGKILL."""


class Kills:
    """Counts what is compressed, and kills the pod before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compressed: list[str] = []
        self.before: str | None = None
        self._compress = rung.compress
        monkeypatch.setattr(rung, "compress", self._kill_or_compress)

    def _kill_or_compress(self, wanted: Rung, bench: Any) -> Any:
        if wanted.method == self.before:
            raise Killed
        self.compressed.append(wanted.method)
        return self._compress(wanted, bench)


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> Kills:
    return Kills(monkeypatch)


def test_it_goes_on_at_the_rung_where_it_was(
    ladder: Ladder, kills: Kills, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills.before = "W8A8"
    with pytest.raises(Killed):
        ladder.climb(GPTQ32, FP8, W8A8, limit=-50)
    assert kills.compressed == ["GPTQ", "FP8"]
    (kept,) = ladder.artifact.parent.iterdir()
    assert kept.name == "r1-rungs.json"

    kills.before = None
    monkeypatch.setattr(flow, "score", None)  # the full model is not measured again
    ended = ladder.climb(GPTQ32, FP8, W8A8, limit=-50)
    assert kills.compressed == ["GPTQ", "FP8", "W8A8"]
    assert ended.quantize is not None
    measured = [item.perplexity for item in ended.quantize.rungs]
    assert len(measured) == 3
    assert all(measured)
    assert list(ladder.artifact.parent.glob("*-rungs.json")) == []


def test_what_another_run_measured_is_not_taken(ladder: Ladder, kills: Kills) -> None:
    kills.before = "W8A8"
    with pytest.raises(Killed):
        ladder.climb(FP8, W8A8, limit=-50)
    (kept,) = ladder.artifact.parent.iterdir()
    told = json.loads(kept.read_text())
    told["madeOf"][0] = "r0"
    kept.write_text(json.dumps(told))
    with pytest.raises(Killed):
        ladder.climb(FP8, W8A8, limit=-50)
    assert kills.compressed == ["FP8", "FP8"]


def test_a_file_that_cannot_be_read_costs_the_rungs_and_not_the_run(
    ladder: Ladder, kills: Kills, capsys: pytest.CaptureFixture[str]
) -> None:
    ladder.artifact.parent.mkdir(parents=True)
    (ladder.artifact.parent / "r1-rungs.json").write_text("{}")
    assert ladder.climb(FP8, limit=20).succeeded
    assert kills.compressed == ["FP8"]
    assert "Begins with the first rung: r1-rungs.json cannot be read" in capsys.readouterr().out


def test_a_finished_artifact_is_told_again_though_its_message_was_lost(
    ladder: Ladder, kills: Kills
) -> None:
    first = ladder.climb(FP8, limit=20)
    assert ladder.climb(FP8, limit=20) == first
    assert kills.compressed == ["FP8"]
