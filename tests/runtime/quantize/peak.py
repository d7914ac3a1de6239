"""Loads, compresses, scores and writes a model, and prints bytes of this process: ``peak.py FOLDER
METHOD ROWS TOKENS``. Run alone: what other tests have left in memory must not count."""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from martlet_api.quantizedmodel import Rung
from martlet_runtime.engines.formats import Processor
from martlet_runtime.quantize.methods import METHODS
from martlet_runtime.quantize.rung import Bench, attempt
from martlet_runtime.quantize.scoring import Score


class NoTokenizer:
    def save_pretrained(self, folder: Path) -> None:
        """The model's files are what takes memory."""


def of_this_process(figure: str) -> int:
    """Bytes. ``ru_maxrss`` would do for the peak, had it not the parent's in it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{figure}:"))


def main(folder: str, method: str, rows: int, tokens: int) -> None:
    import datasets
    import llmcompressor

    assert datasets
    assert llmcompressor
    assert METHODS
    started = of_this_process("VmRSS")
    bench = Bench(
        load=lambda dtype: AutoModelForCausalLM.from_pretrained(f"{folder}/model", dtype=dtype),
        shape=None,
        dtype=torch.float32,
        tokenizer=NoTokenizer(),
        rows=torch.randint(0, 1000, (rows, tokens)).tolist(),
        tokens=torch.randint(0, 1000, (2048,)),
        baseline=Score(1.0, 1.0),
        max_increase_percent=1e9,
        processor=Processor(None),
    )
    attempt(Rung.model_validate({"method": method}), bench, Path(folder) / "out")
    print(f"PEAK {started} {of_this_process('VmHWM')}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
