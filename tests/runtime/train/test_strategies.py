"""The strategy that is asked for is the one that runs, and learns what one process learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from test_methods import prepared
from test_processes import free_port
from trainer_builders import LORA, train_plan

from martlet_api import contract
from martlet_api.contract import Plan
from martlet_api.finetunejob import CheckpointSettings
from martlet_api.training import SHARED_METHODS, Tuner
from martlet_runtime.report import Report
from martlet_runtime.train import flow

pytestmark = pytest.mark.torch

PATIENCE = 400
STEPS = 5
"""As often as the trainer logs the mean over all processes."""
FULL = Tuner(type="Full")


KILLED, EVERY = 4, 2
"""The step at whose end both processes are killed, and how often they save."""


class Case(NamedTuple):
    strategy: str
    method: str
    tuner: str = "LoRA"
    ending: str = "whole"

    @property
    def name(self) -> str:
        return "-".join(self).lower()

    def plan(self, name: str, **more: Any) -> Plan:
        params = {"max_steps": STEPS, **({"learning_rate": 1e-3} if self.tuner == "Full" else {})}
        tuner = FULL if self.tuner == "Full" else LORA
        more.setdefault("checkpoint", CheckpointSettings(every_steps=EVERY))
        return train_plan(name, method=self.method, tuner=tuner, hyperparameters=params, **more)


CASES = [
    Case("DDP", "SFT"),
    Case("DDP", "SFT", "Full"),
    *(Case(s, m, "Full") for s in ("FSDP", "ZeRO2", "ZeRO3") for m in ("SFT", "DPO")),
    *(Case(s, m) for s in ("FSDP", "ZeRO3") for m in SHARED_METHODS),
    Case("ZeRO2", "SFT"),
    Case("ZeRO2", "DPO"),
]
BROKEN_OFF = [
    *(Case(s, "SFT", "Full", "killed") for s in ("DDP", "FSDP", "ZeRO2", "ZeRO3")),
    *(Case(s, "SFT", "LoRA", "killed") for s in ("FSDP", "ZeRO3")),
]


class Pair:
    """Two processes that run all cases of a strategy; started when the first of them is wanted."""

    def __init__(self, root: Path, village: Path) -> None:
        self.root, self.village = root, village
        self._ran: set[str] = set()

    def told(self, case: Case) -> list[dict[str, Any]]:
        if case.strategy not in self._ran:
            self._ran.add(case.strategy)
            self._run([other for other in (*CASES, *BROKEN_OFF) if other.strategy == case.strategy])
        files = [self.root / case.name / f"told-{node}.json" for node in (0, 1)]
        log = (self.root / f"{case.strategy}-0.log").read_text()
        assert all(file.exists() for file in files), log[-3000:]
        told = [json.loads(file.read_text()) for file in files]
        assert not [one["error"] for one in told if "error" in one], told[0].get("error")
        return told

    def _run(self, cases: list[Case]) -> None:
        for case in cases:
            prepared(self.root / case.name, self.village, case.method)
            plan = case.plan(case.name, nodes=2, strategy=case.strategy)
            (self.root / case.name / "plan.json").write_text(plan.model_dump_json())
            if case.ending == "killed":
                (self.root / case.name / "killed-at").write_text(str(KILLED))
        port, names = str(free_port()), [case.name for case in cases]
        command = [sys.executable, Path(__file__).with_name("pair.py"), self.root, port, *names]
        running = [self._start(command, cases[0].strategy, node) for node in (0, 1)]
        try:
            for process in running:
                process.wait(PATIENCE)
        finally:
            for process in running:
                process.kill()
                process.wait()

    def _start(self, command: list[Any], strategy: str, node: int) -> subprocess.Popen:
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            contract.NODE_RANK_ENV: str(node),
            contract.MASTER_ENV: "127.0.0.1",
        }
        with (self.root / f"{strategy}-{node}.log").open("w") as stream:
            return subprocess.Popen(command, stdout=stream, stderr=stream, env=env)


@pytest.fixture(scope="module")
def pair(village: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("pair"), village)


@pytest.fixture(scope="module")
def alone(village: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The loss of one process, by method and tuner."""
    known: dict[tuple[str, str], float] = {}

    def loss(case: Case) -> float:
        key = (case.method, case.tuner)
        if key not in known:
            root = tmp_path_factory.mktemp("alone")
            ended = flow.run(case.plan("alone"), prepared(root, village, case.method), Report())
            assert ended.train is not None
            assert ended.train.loss is not None
            known[key] = ended.train.loss
        return known[key]

    return loss


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_runs_as_asked_and_learns_the_same(case: Case, pair: Pair, alone: Any) -> None:
    first, second = pair.told(case)
    assert first["strategy"] == second["strategy"] == case.strategy
    assert first["loss"] == pytest.approx(alone(case), abs=1e-3)
    whole = first["held"][1]
    if case.strategy in ("FSDP", "ZeRO3"):
        assert first["held"][0] + second["held"][0] == pytest.approx(whole, rel=0.01)
        assert first["held"][0] < 0.6 * whole
    else:
        assert first["held"] == second["held"] == [whole, whole]


@pytest.mark.parametrize("case", BROKEN_OFF, ids=lambda case: case.name)
def test_processes_that_are_killed_go_on_from_the_parts_that_they_saved(
    case: Case, pair: Pair
) -> None:
    """And end with the weights of a run that nothing broke off."""
    told, whole = pair.told(case), case._replace(ending="whole")
    pair.told(whole)
    assert [one["first"] for one in told] == [KILLED - EVERY, KILLED - EVERY]
    resumed, unbroken = (weights(pair.root / "volumes/models" / c.name) for c in (case, whole))
    torch.testing.assert_close(resumed, unbroken, atol=1e-6, rtol=1e-4)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    files = list(folder.glob("r1/*.safetensors"))
    return {name: tensor for file in files for name, tensor in load_file(file).items()}
