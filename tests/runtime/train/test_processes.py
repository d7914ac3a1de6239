"""A run in two processes over gloo, as two pods are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from trainer_builders import lay_out, train_plan, whole_steps

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination
from martlet_api.finetunejob import CheckpointSettings
from martlet_runtime.report import Report
from martlet_runtime.train import flow

pytestmark = pytest.mark.torch

POD = """
import sys
from pathlib import Path
from martlet_api import contract
contract.MASTER_PORT = int(sys.argv[2])
from martlet_runtime import cli
from martlet_runtime.paths import Paths
root = Path(sys.argv[1])
paths = Paths(root / "inputs", root / "work", Path(sys.argv[3]), root / "termination")
sys.exit(cli.run("train", Path(sys.argv[4]), paths))
"""
PATIENCE = 180


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Pods:
    """Two pods of one run that share a volume."""

    def __init__(self, plan: Plan, village: Path, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self.volumes, port = root / "volumes", free_port()
        (root / "plan.json").write_text(plan.model_dump_json())
        self.roots = [root / "pod-0", root / "pod-1"]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self.logs, self.running = [], []
        for index, pod in enumerate(self.roots):
            lay_out(pod, village)
            log = pod / "log"
            env = {
                **os.environ,
                "PYTHONPATH": path,
                contract.NODE_RANK_ENV: str(index),
                contract.MASTER_ENV: "127.0.0.1",
            }
            command = [
                sys.executable, "-c", POD, pod, str(port), self.volumes, root / "plan.json",
            ]  # fmt: skip
            with log.open("w") as stream:
                self.running.append(
                    subprocess.Popen(command, stdout=stream, stderr=stream, env=env)
                )
            self.logs.append(log)

    def wait(self) -> list[int]:
        try:
            return [pod.wait(PATIENCE) for pod in self.running]
        finally:
            for pod in self.running:
                pod.kill()
                pod.wait()

    def told(self, index: int) -> Termination:
        text = (self.roots[index] / "termination").read_text()
        return Termination.model_validate_json(text)


def test_two_pods_learn_what_one_does(village: Path, tmp_path: Path) -> None:
    params = {"max_steps": 10}
    alone = flow.run(
        whole_steps(train_plan("alone", hyperparameters=params)),
        lay_out(tmp_path / "alone", village),
        Report(),
    )
    plan = whole_steps(train_plan("two", hyperparameters=params, nodes=2))
    pods = Pods(plan, village, tmp_path / "two")
    assert pods.wait() == [0, 0], [log.read_text()[-2000:] for log in pods.logs]
    first, second = pods.told(0), pods.told(1)
    assert alone.train is not None
    assert first.train is not None
    assert first.train.loss == pytest.approx(alone.train.loss, abs=1e-3)
    assert second.train is None
    assert (pods.volumes / "models/two/r1/adapter_model.safetensors").is_file()


def test_more_pods_than_rows(village: Path, tmp_path: Path) -> None:
    plan = train_plan("few", nodes=2)
    inputs = [item.model_copy(update={"max_samples": 1}) for item in plan.inputs]
    pods = Pods(plan.model_copy(update={"inputs": inputs}), village, tmp_path)
    assert pods.wait() == [contract.EXIT_USER_ERROR] * 2
    assert pods.told(0).message.startswith("There are 1 rows for 2 processes")


def test_the_other_pod_of_one_that_died_is_worth_another_try(village: Path, tmp_path: Path) -> None:
    plan = train_plan(
        "half",
        hyperparameters={"epochs": 500},
        nodes=2,
        checkpoint=CheckpointSettings(every_steps=2),
    )
    pods = Pods(plan, village, tmp_path)
    root = pods.volumes / "models/half/r1-checkpoints"
    try:
        while not list(root.glob("checkpoint-*")):
            assert pods.running[0].poll() is None, pods.logs[0].read_text()[-2000:]
            try:
                pods.running[0].wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    finally:
        pods.running[1].kill()
    codes = pods.wait()
    assert codes[0] == contract.EXIT_RETRYABLE, pods.logs[0].read_text()[-2000:]
    assert pods.told(0).reason == Reason.PEER_LOST
