"""Martlet's training beside plain TRL: tokens a second, start-up, and what checkpoints cost.

Run: ``make bench``. Sides take turns, so that a busy machine is busy for both.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from material import make

ONE_RUN = Path(__file__).with_name("one_run.py")
STEPS, ROWS, TURNS = 8, 16, 3
EVERY = 500


def run(side: str, folder: Path, save_steps: int = 10**6) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("base", "train.jsonl"):
            (Path(scratch) / name).symlink_to(folder / name)
        numbers = map(str, (STEPS, ROWS, save_steps))
        command = [sys.executable, ONE_RUN, side, scratch, *numbers]
        env = {**os.environ, "BENCH_START": str(time.time()), "OMP_WAIT_POLICY": "PASSIVE"}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    line = next(x for x in done.stdout.splitlines() if x.startswith("BENCH "))
    found: dict[str, Any] = json.loads(line.removeprefix("BENCH "))
    return found


def tokens(folder: Path) -> tuple[int, float]:
    """(tokens of a step in the mean, their part of what padding makes of them)"""
    from transformers import AutoTokenizer

    from martlet_runtime.rendering import render

    tokenizer = AutoTokenizer.from_pretrained(folder / "base")
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    sizes = [len(render(tokenizer, row["messages"], 1024)["input_ids"]) for row in rows]
    padded = sum(max(sizes[i : i + ROWS]) * ROWS for i in range(0, len(sizes), ROWS))
    return round(sum(sizes) / len(sizes) * ROWS), sum(sizes) / padded


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make(folder, rows=STEPS * ROWS)
        per_step, efficiency = tokens(folder)
        sides: dict[str, list[dict[str, Any]]] = {"trl": [], "martlet": []}
        for turn in range(TURNS):
            for side, found in sides.items():
                found.append(run(side, folder))
                print(f"turn {turn + 1}, {side}: {found[-1]['seconds']:.1f} s", flush=True)
        _throughput(sides, per_step, efficiency)
        _startup(sides)
        _checkpoints(run("martlet", folder, save_steps=2))


def _throughput(sides: dict[str, list[dict[str, Any]]], per_step: int, efficiency: float) -> None:
    print(
        f"\nThroughput: {STEPS} steps of {ROWS} rows, {efficiency:.0%} of a padded batch are tokens"
    )
    speed = {
        side: statistics.median(per_step * item["steps"] / item["seconds"] for item in found)
        for side, found in sides.items()
    }
    for side, found in sides.items():
        print(f"  {side:8} {speed[side]:8.0f} tokens/s, loss {found[0]['loss']:.6f}")
    difference = abs(sides["trl"][0]["loss"] - sides["martlet"][0]["loss"])
    print(f"  {speed['martlet'] / speed['trl']:.2f} times; the losses differ by {difference:.1e}")


def _startup(sides: dict[str, list[dict[str, Any]]]) -> None:
    print("\nStart-up: seconds from the start of the process to the end of the first pass")
    middle = {}
    for side, found in sides.items():
        middle[side] = statistics.median(item["first_step"] for item in found)
        imports = statistics.median(item["imported"] for item in found)
        print(f"  {side:8} {middle[side]:.1f} s, {imports:.1f} s of them imports")
    print(f"  {middle['martlet'] / middle['trl']:.2f} times")


def _checkpoints(found: dict[str, Any]) -> None:
    save = statistics.median(found["saves"])
    step = (found["seconds"] - sum(found["saves"])) / found["steps"]
    print(f"\nCheckpoints: {save * 1000:.0f} ms each beside steps of {step * 1000:.0f} ms")
    print(f"  {save / (step * EVERY):.3%} of the time at one every {EVERY} steps")


if __name__ == "__main__":
    main()
