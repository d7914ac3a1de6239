"""One merge or one compression, measured from inside: ``one_compression.py SIDE PHASE FOLDER``.

SIDE is ``martlet``, the code that a pod runs, or ``bare``, the script that one would write with
PEFT and llm-compressor alone: the same model, rows and recipe. Prints one line of JSON.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from martlet_api.contract import Input, OutputPlan, Plan, QuantizePlan
from martlet_api.quantizedmodel import Rung
from martlet_runtime.engines.formats import Processor
from martlet_runtime.paths import Paths
from martlet_runtime.quantize import merging
from martlet_runtime.quantize import rung as rungs
from martlet_runtime.quantize.methods import METHODS
from martlet_runtime.quantize.scoring import Score
from martlet_runtime.rendering import render

RUNG = Rung(method="GPTQ", group_size=64)
ROWS, LENGTH = 32, 256


def rows(root: Path, tokenizer: Any) -> list[list[int]]:
    lines = (root / "train.jsonl").read_text().splitlines()[:ROWS]
    return [render(tokenizer, json.loads(row)["messages"], LENGTH)["input_ids"] for row in lines]


def load(root: Path, dtype: torch.dtype) -> Any:
    return AutoModelForCausalLM.from_pretrained(root / "base", dtype=dtype)


def merge_martlet(root: Path) -> Callable[[], None]:
    inputs = root / "pod/inputs"
    inputs.mkdir(parents=True)
    (root / "pod/work").mkdir()
    (inputs / "model").symlink_to(root / "base")
    (inputs / "adapter").symlink_to(root / "adapter")
    parts = [
        Input(name=name, kind="Model", uri=f"pvc://m/{name}", digest="sha256:" + digit * 64)
        for name, digit in (("model", "1"), ("adapter", "2"))
    ]
    todo = QuantizePlan(
        engine="vLLM", on_accelerator=False, calibration_max_length=LENGTH,
        max_increase_percent=5, output=OutputPlan(uri="pvc://m/q/r", record={}),
    )  # fmt: skip
    plan = Plan(
        kind="QuantizedModel", namespace="n", name="q", run="r", inputs=parts, quantize=todo
    )
    paths = Paths(inputs, root / "pod/work", root / "pod/volumes", root / "pod/end")
    return lambda: merging.full_model(plan, paths) and None


def merge_bare(root: Path) -> Callable[[], None]:
    from peft import PeftModel

    def merge() -> None:
        model = PeftModel.from_pretrained(load(root, torch.float32), str(root / "adapter"))
        model.merge_and_unload().save_pretrained(root / "pod/merged")
        AutoTokenizer.from_pretrained(root / "base").save_pretrained(root / "pod/merged")

    return merge


def quantize_martlet(root: Path) -> Callable[[], None]:
    """With the figures of the rung, which the library does not give."""
    tokenizer = AutoTokenizer.from_pretrained(root / "base")
    bench = rungs.Bench(
        lambda dtype: load(root, dtype), load(root, torch.float32).to("meta"), torch.float32,
        tokenizer, rows(root, tokenizer), torch.tensor(rows(root, tokenizer)[0]),
        Score(1.0, 1.0), 1e9, Processor(None),
    )  # fmt: skip
    return lambda: rungs.attempt(RUNG, bench, root / "pod/out") and None


def quantize_bare(root: Path) -> Callable[[], None]:
    from datasets import Dataset
    from llmcompressor import oneshot

    tokenizer = AutoTokenizer.from_pretrained(root / "base")
    data = [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in rows(root, tokenizer)]

    def quantize() -> None:
        model = oneshot(
            model=load(root, torch.float32), tokenizer=tokenizer,
            recipe=METHODS[RUNG.method].modifiers(RUNG), dataset=Dataset.from_list(data),
            num_calibration_samples=ROWS, shuffle_calibration_samples=False,
            max_seq_length=LENGTH,
        )  # fmt: skip
        model.save_pretrained(root / "pod/out", save_compressed=True)
        tokenizer.save_pretrained(root / "pod/out")

    return quantize


def peak() -> int:
    """Bytes of this process alone: ``ru_maxrss`` has the parent's in it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def main(side: str, phase: str, folder: str) -> None:
    import datasets
    import llmcompressor
    import peft

    assert all((datasets, llmcompressor, peft))
    root = Path(folder)
    shutil.rmtree(root / "pod", ignore_errors=True)
    work = globals()[f"{phase}_{side}"](root)
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    print("BENCH " + json.dumps({"seconds": seconds, "peak": peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
