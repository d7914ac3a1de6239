"""What the strategies' memory is told to be, against two real processes over gloo."""

import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from small_models import make, plan_of, tokenizer

from martlet_api import contract
from martlet_api.contract import EstimatePlan
from martlet_api.training import Strategy, Tuner
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.rehearsal import rehearse

SHAPES = {"4 M": (256, 4), "10 M": (384, 6)}
TUNERS = {"LoRA": Tuner(rank=8), "Full": Tuner(type="Full")}
STRATEGIES: tuple[Strategy, ...] = tuple(sys.argv[1:]) or ("DDP", "FSDP", "ZeRO2", "ZeRO3")  # type: ignore[assignment]
Case = tuple[Strategy, str, str, str, int, bool]
"""(strategy, method, tuner, shape, tokens, checkpointing)"""


def cases(strategy: Strategy) -> list[Case]:
    sft = [
        (strategy, "SFT", tuner, shape, length, checkpointing)
        for tuner, shape, (length, checkpointing) in itertools.product(
            TUNERS, SHAPES, [(64, False), (256, True)]
        )
    ]
    return [*sft, (strategy, "DPO", "LoRA", "4 M", 64, False)]


def plan(case: Case) -> EstimatePlan:
    strategy, method, tuner, _, length, _ = case
    params = {"global_batch_size": 8, "micro_batch_size": 2, "max_length": length}
    told = plan_of(method, TUNERS[tuner], **params)
    return told.model_copy(update={"processes": 2, "strategy": strategy})


def really(strategy: Strategy, folder: Path, chosen: list[Case]) -> list[int]:
    """Bytes at the peak of the fuller of two processes, for cases of one model."""
    names = []
    for number, case in enumerate(chosen):
        path = folder / f"{strategy}-{number}.json"
        told = {"plan": plan(case).model_dump(mode="json"), "setting": [2, case[5]]}
        path.write_text(json.dumps(told))
        names.append(str(path))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    command = [sys.executable, str(Path(__file__).with_name("sharded_run.py")), str(folder), port]
    running = [_start([*command, *names], node) for node in (0, 1)]
    told = [process.communicate()[0] for process in running]
    peaks = [
        [json.loads(line[6:])["peak"] for line in text.splitlines() if line.startswith("BENCH ")]
        for text in told
    ]
    return [max(pair) for pair in zip(*peaks, strict=True)]


def _start(command: list[str], node: int) -> subprocess.Popen[str]:
    env = {**os.environ, contract.NODE_RANK_ENV: str(node), contract.MASTER_ENV: "127.0.0.1"}
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def told(case: Case, folder: Path) -> Memory:
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(2, case[5], case[0])
        wanted = plan(case)
        found = rehearse(wanted, setting, torch.float32, tokenizer(), folder, Path(scratch))
        return found.by(setting, wanted.processes)


def main() -> None:
    warnings.filterwarnings("ignore")
    root = Path(tempfile.mkdtemp())
    folders = {name: make(root / str(shape[0]), *shape) for name, shape in SHAPES.items()}
    print("strategy method tuner model tokens ckpt  really MB    told MB  error %")
    errors: list[float] = []
    for strategy, shape in itertools.product(STRATEGIES, SHAPES):
        chosen = [case for case in cases(strategy) if case[3] == shape]
        peaks = really(strategy, folders[shape], chosen)
        for case, peak in zip(chosen, peaks, strict=True):
            memory = told(case, folders[shape])
            errors.append(100 * (memory.total / peak - 1))
            print(
                f"{strategy:8} {case[1]:6} {case[2]:5} {shape:>5} {case[4]:>6} "
                f"{'yes' if case[5] else 'no':>4} {peak / 1e6:>10.2f} {memory.total / 1e6:>10.2f} "
                f"{errors[-1]:>+8.2f}",
                flush=True,
            )
    mean = sum(map(abs, errors)) / len(errors)
    print(f"\n{len(errors)} runs: mean absolute error {mean:.2f} %, lowest {min(errors):+.2f} %")


if __name__ == "__main__":
    main()
