"""Makes two versions of a model beside it: the same one under another digest, and a damaged one.

    python make_versions.py --model /mnt/pvc/models/base --data /mnt/pvc/data/test.jsonl

Runs in the runtime image. ``NAME-next`` has the same weights in other bytes; ``NAME-damaged`` has
noise on its weights: each token comes as fast as before, and is wrong. Prints the rows of
``--data`` last, as one JSON array: who asks from outside the cluster cannot read the volume.
"""

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

Weights = dict[str, np.ndarray]
WEIGHTS = "model.safetensors"
NOISE = 2.0
"""In standard deviations of each matrix. With 1 the quickstart's base still has 34 of 42 answers
right, with 2 one of them, and the perplexity of its stories rises from 2.2 to 274."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--data", type=Path, required=True, help="rows of query and response")
    args = parser.parse_args()
    make(args.model, "next", lambda weights: weights)
    make(args.model, "damaged", with_noise)
    rows = [json.loads(line) for line in args.data.read_text().splitlines()]
    print(json.dumps([[row["query"], row["response"]] for row in rows]))


def make(model: Path, name: str, change: Callable[[Weights], Weights]) -> Path:
    """The version beside the model, whole or not at all; one that is there is left alone."""
    target = model.with_name(f"{model.name}-{name}")
    if target.exists():
        return target
    half = target.with_name(f".{target.name}")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(model, half)
    weights = change(load_file(model / WEIGHTS))
    # The header is part of the file, and so of the digest.
    save_file(weights, half / WEIGHTS, metadata={"format": "pt", "version": name})
    return half.rename(target)


def with_noise(weights: Weights, seed: int = 0) -> Weights:
    """Every matrix drowned in noise; norms and biases as they were."""
    rng = np.random.default_rng(seed)
    return {
        name: value + noise(value, rng) if value.ndim > 1 else value
        for name, value in weights.items()
    }


def noise(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (NOISE * value.std() * rng.standard_normal(value.shape)).astype(value.dtype)


if __name__ == "__main__":
    main()
