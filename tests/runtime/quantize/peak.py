"""Loads, compresses, scores and writes a model, and prints bytes of this process: ``peak.py FOLDER
METHOD ROWS TOKENS``. Run alone: what other tests have left in memory must not count."""

import resource
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


def resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def main(folder: str, method: str, rows: int, tokens: int) -> None:
    import datasets
    import llmcompressor

    assert datasets
    assert llmcompressor
    assert METHODS
    started = resident()
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"PEAK {started} {peak}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
