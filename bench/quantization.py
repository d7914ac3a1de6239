"""Quantization: whether the gate judges rightly, and what it costs beside the bare libraries."""

import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import material
import torch

from martlet_api.quantizedmodel import Rung
from martlet_runtime.engines.formats import Processor
from martlet_runtime.perplexity import WINDOW, perplexity, tokens_of
from martlet_runtime.quantize import rung as rungs
from martlet_runtime.quantize.scoring import score

PLANTED = (3.0, 4.5, 5.5, 8.0)
"""Percent that the perplexity is made worse by."""
LIMIT = 5.0
SEEDS = range(5)
TOKENS = 8192
NEAR = 0.02
"""Percent by which planted damage may miss its mark."""
FIRST, MOST, HALVINGS = 0.001, 10.0, 30
"""Times the noise: where the search begins and ends, and how often it halves."""
STEPS = 50
ROUNDS = 3
GOAL = 1.1


def trained() -> tuple[Any, torch.Tensor]:
    """The quickstart's model after seconds of training, and the gate's tokens."""
    import make_base

    torch.manual_seed(material.SEED)
    rng = random.Random(material.SEED)
    people = make_base.settle(rng)
    tokenizer = make_base.make_tokenizer(people, rng)
    model = make_base.train(tokenizer, people, rng, STEPS, 16)
    with tempfile.TemporaryDirectory() as scratch:
        make_base.write_data(Path(scratch), people, rng)
        text = (Path(scratch) / "stories.txt").read_text()
    return model.eval(), tokens_of(tokenizer, text)[:TOKENS]


@torch.no_grad()
def independent(model: Any, tokens: torch.Tensor) -> float:
    """Perplexity by the loss that transformers' models reckon themselves."""
    total = count = 0.0
    for piece in tokens.split(min(WINDOW, model.config.max_position_embeddings)):
        if len(piece) > 1:
            row = piece.unsqueeze(0)
            total += model(input_ids=row, labels=row).loss.double().item() * (len(piece) - 1)
            count += len(piece) - 1
    return math.exp(total / count)


class Damage:
    """Noise in the layers' weights, as much as makes the perplexity worse by so much. It leans
    uphill: of a model that has learnt little, noise of any sign may as well be an improvement."""

    def __init__(self, model: Any, tokens: torch.Tensor, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        named = [(n, p) for n, p in model.named_parameters() if n.endswith("proj.weight")]
        row = tokens[:WINDOW].unsqueeze(0)
        model.zero_grad()
        model(input_ids=row, labels=row).loss.backward()
        self._noise = {
            name: torch.randn(p.shape, generator=generator).abs() * p.grad.sign() * p.detach().std()
            for name, p in named
        }
        self._whole = {name: p.detach().clone() for name, p in named}
        self._model, self._tokens = model, tokens
        self._base = independent(model, tokens)

    @torch.no_grad()
    def set(self, amount: float) -> float:
        """Plants ``amount`` times the noise; returns the percent that came of it."""
        for name, parameter in self._model.named_parameters():
            if name in self._noise:
                parameter.copy_(self._whole[name] + amount * self._noise[name])
        return (independent(self._model, self._tokens) / self._base - 1) * 100

    def plant(self, percent: float) -> float:
        low, high = 0.0, FIRST
        while self.set(high) < percent and high < MOST:
            low, high = high, 2 * high
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            found = self.set(middle)
            if abs(found - percent) < NEAR:
                return found
            low, high = (middle, high) if found < percent else (low, middle)
        raise RuntimeError(f"no noise makes the perplexity {percent} % worse")


class NoTokenizer:
    def save_pretrained(self, folder: Path) -> None:
        """What is judged needs none."""


def judged(model: Any, tokens: torch.Tensor, damage: Damage, percent: float) -> bool:
    """Whether the gate says of a damaged model what is so, by the code that judges a rung."""
    damage.set(0)
    bench = rungs.Bench(
        lambda _: model, model, torch.float32, NoTokenizer(), [], tokens, score(model, tokens),
        LIMIT, Processor(None),
    )  # fmt: skip
    planted = damage.plant(percent)
    compress = rungs.compress
    rungs.compress = lambda *_: model
    try:
        with tempfile.TemporaryDirectory() as scratch:
            told = rungs.attempt(Rung(method="FP8"), bench, Path(scratch) / "out")
    finally:
        rungs.compress = compress
    right = told.passed == (percent <= LIMIT)
    figures = f"{percent:>8} {planted:>9.3f} {told.increase_percent:>9.3f}"
    print(f"{figures} {told.passed!s:>7} {right!s:>7}", flush=True)
    return right


def gate() -> tuple[int, int, float]:
    """(judged rightly, of, the largest difference of the two perplexities in percent)."""
    model, tokens = trained()
    print(f"perplexity of {len(tokens)} tokens: ours, transformers' own loss")
    print("\n planted  measured      told  passed   right")
    results, difference = [], 0.0
    for seed in SEEDS:
        damage = Damage(model, tokens, seed)
        for percent in PLANTED:
            results.append(judged(model, tokens, damage, percent))
            ours, theirs = perplexity(model, tokens), independent(model, tokens)
            difference = max(difference, abs(ours / theirs - 1) * 100)
        damage.set(0)
    ours, theirs = perplexity(model, tokens), independent(model, tokens)
    print(f"\nundamaged: {ours:.6f} and {theirs:.6f}; largest difference {difference:.5f} %")
    return sum(results), len(results), difference


def one(side: str, phase: str, root: Path) -> dict[str, float]:
    script = Path(__file__).with_name("one_compression.py")
    done = subprocess.run(
        [sys.executable, script, side, phase, root], capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("BENCH "))
    return dict(json.loads(line.removeprefix("BENCH ")))


def compared(phase: str, root: Path) -> dict[str, float]:
    """Ratios of ours to the bare libraries', of the medians of runs that take turns."""
    found: dict[str, list[dict[str, float]]] = {"martlet": [], "bare": []}
    for turn in range(ROUNDS):
        for side in sorted(found, reverse=bool(turn % 2)):
            found[side].append(one(side, phase, root))
    ratios = {}
    for figure in ("seconds", "peak"):
        ours, theirs = (
            statistics.median(run[figure] for run in found[side]) for side in ("martlet", "bare")
        )
        ratios[figure] = ours / theirs
        print(f"{phase:9} {figure:8} {ours:>16,.2f} {theirs:>16,.2f} {ours / theirs:>6.3f}")
    return ratios


def make_adapter(root: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(root / "base", dtype=torch.float32)
    config = LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(root / "adapter")


def main() -> None:
    warnings.filterwarnings("ignore")
    right, of, difference = gate()
    root = Path(tempfile.mkdtemp())
    material.make(root, 64, hidden=512, layers=6)
    make_adapter(root)
    print(f"\nmedians of {ROUNDS} runs in turns: seconds, bytes of the process at its peak")
    print("phase     figure            martlet   bare libraries  ratio")
    ratios = [compared(phase, root) for phase in ("merge", "quantize")]
    worst = max(max(each.values()) for each in ratios)
    print(f"\n{right} of {of} judged rightly; {difference:.5f} % apart; {worst:.3f} times at most")
    sys.exit(right < of or difference > 0.1 or worst > GOAL)


if __name__ == "__main__":
    main()
