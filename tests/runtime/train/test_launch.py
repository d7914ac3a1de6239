"""Several processes in one pod: one speaks for all, and its exit code is kept."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from trainer_builders import train_plan

from martlet_runtime.train import launch

pytestmark = pytest.mark.torch

WORKER = """
import os, signal, sys, time
rank, own = int(os.environ["RANK"]), os.environ["MARTLET_TERMINATION_PATH"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
open(own, "w").write(f"rank {rank} of {os.environ['WORLD_SIZE']}")
kind, who, code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if rank == who:
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(code)
time.sleep(0 if kind == "end" else 60)
"""


def started(tmp_path: Path, *words: str) -> tuple[int, str]:
    """(exit code, what was said) of a pod with three processes."""
    plan = train_plan("x", processes_per_node=3).train
    assert plan is not None
    said = tmp_path / "said"
    code = launch.run(plan, [sys.executable, "-c", WORKER, *words], tmp_path, said)
    return code, said.read_text()


def test_the_first_speaks_for_all(tmp_path: Path) -> None:
    assert started(tmp_path, "end", "0", "0") == (0, "rank 0 of 3")


@pytest.mark.parametrize("code", [65, 75])
def test_the_first_that_fails_speaks_and_ends_the_others(tmp_path: Path, code: int) -> None:
    assert started(tmp_path, "fail", "2", str(code)) == (code, "rank 2 of 3")


def test_a_process_that_was_killed_is_told_as_the_kernel_does(tmp_path: Path) -> None:
    assert started(tmp_path, "kill", "1", "0")[0] == 128 + signal.SIGKILL


def test_the_signal_to_stop_reaches_all(tmp_path: Path) -> None:
    def tell() -> None:
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGTERM)

    before: Any = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=tell, daemon=True).start()
    try:
        assert started(tmp_path, "wait", "9", "0")[0] == 75
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(("processes", "environment", "needed"), [
    (1, {}, False), (2, {}, True), (2, {"RANK": "0"}, False),
])  # fmt: skip
def test_only_the_pod_s_own_process_starts_others(
    monkeypatch: pytest.MonkeyPatch, processes: int, environment: dict[str, str], needed: bool
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launch.is_needed(train_plan("x", processes_per_node=processes).train) is needed
