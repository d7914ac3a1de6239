"""A pod that is told to stop in the midst of training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trainer_builders import lay_out, train_plan

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Termination

pytestmark = pytest.mark.torch

RUN = """
import sys
from pathlib import Path
from martlet_runtime import cli
from martlet_runtime.paths import Paths
root = Path(sys.argv[1])
paths = Paths(root / "inputs", root / "work", root / "volumes", root / "termination")
sys.exit(cli.run("train", root / "plan.json", paths))
"""
PATIENCE = 120
"""Seconds, for a machine that is busy; usually it takes ten."""


def test_it_is_worth_another_try_and_leaves_a_checkpoint(village: Path, tmp_path: Path) -> None:
    endless = train_plan("long", hyperparameters={"epochs": 100})
    lay_out(tmp_path, village)
    (tmp_path / "plan.json").write_text(endless.model_dump_json())
    output, log = tmp_path / "volumes/models/long", tmp_path / "log"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with log.open("w") as stream:
        child = subprocess.Popen(
            [sys.executable, "-c", RUN, tmp_path],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "PYTHONPATH": path},
        )
    try:
        # The trainer's first line of figures: it is among the steps.
        until = time.monotonic() + PATIENCE
        while "'loss'" not in log.read_text():
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == contract.EXIT_RETRYABLE, log.read_text()
    finally:
        child.kill()
        child.wait()
    assert [entry.name for entry in output.iterdir()] == ["r1-checkpoints"]
    kept = [entry.name for entry in (output / "r1-checkpoints").iterdir()]
    assert len(kept) == 1
    assert kept[0].startswith("checkpoint-")
    ended = Termination.model_validate_json((tmp_path / "termination").read_text())
    assert ended.reason == Reason.POD_FAILED
