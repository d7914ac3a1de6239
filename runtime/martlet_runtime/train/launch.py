"""Several processes in one pod, one an accelerator.

torchrun does as much, but answers 1 whatever exit code a worker had, and the code says whether the
failure is worth retrying; so the workers are started here with the variables that torchrun sets.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from martlet_api import contract
from martlet_api.contract import TrainPlan

_POLL_SECONDS = 0.5
_GRACE_SECONDS = 30.0
TERMINATION_ENV = "MARTLET_TERMINATION_PATH"


def is_needed(train: TrainPlan | None) -> bool:
    """Whether this process is the one that starts the workers."""
    return train is not None and train.processes_per_node > 1 and "RANK" not in os.environ


def run(train: TrainPlan, command: Sequence[str], work: Path, termination: Path) -> int:
    """Starts the workers, passes SIGTERM on, and returns the exit code of the one that speaks for
    all: the first that failed, else the first of the pod."""
    files = [work / f"termination-{index}" for index in range(train.processes_per_node)]
    workers = [
        subprocess.Popen(command, env={**os.environ, **_variables(train, index, files[index])})  # noqa: S603 - our own command
        for index in range(train.processes_per_node)
    ]
    signal.signal(signal.SIGTERM, lambda *_: [worker.terminate() for worker in workers])
    first = _wait(workers)
    if files[first].is_file():
        shutil.copyfile(files[first], termination)
    code = workers[first].returncode
    return code if code >= 0 else 128 - code


def _wait(workers: list["subprocess.Popen[bytes]"]) -> int:
    while True:
        codes = [worker.poll() for worker in workers]
        failed = next((index for index, code in enumerate(codes) if code), None)
        if failed is not None:
            _end(workers)
            return failed
        if None not in codes:
            return 0
        time.sleep(_POLL_SECONDS)


def _end(workers: list["subprocess.Popen[bytes]"]) -> None:
    """The others would wait for the one that is gone."""
    for worker in workers:
        worker.terminate()
    until = time.monotonic() + _GRACE_SECONDS
    for worker in workers:
        try:
            worker.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _variables(train: TrainPlan, index: int, termination: Path) -> dict[str, str]:
    node = int(os.environ.get(contract.NODE_RANK_ENV, "0"))
    return {
        "RANK": str(node * train.processes_per_node + index),
        "LOCAL_RANK": str(index),
        "WORLD_SIZE": str(train.processes),
        "LOCAL_WORLD_SIZE": str(train.processes_per_node),
        "MASTER_ADDR": os.environ.get(contract.MASTER_ENV, "127.0.0.1"),
        "MASTER_PORT": str(contract.MASTER_PORT),
        TERMINATION_ENV: str(termination),
    }


def command() -> list[str]:
    """This very command, once more."""
    return [sys.executable, "-m", "martlet_runtime", *sys.argv[1:]]
