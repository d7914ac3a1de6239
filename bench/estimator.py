"""The estimator against real steps: what it says, and what was there at most."""

import itertools
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from small_models import make, plan_of, really, tokenizer
from transformers import LlamaConfig

from martlet_api.contract import EstimatePlan
from martlet_api.training import REWARDED, Tuner
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.rehearsal import rehearse

SHAPES = {"4 M": (256, 4), "22 M": (512, 8)}
LORA, FULL = Tuner(rank=8), Tuner(type="Full")
TUNERS = {
    "LoRA": LORA,
    "Full": FULL,
    "QLoRA": Tuner(type="QLoRA"),
    "DoRA": Tuner(use_dora=True),
    "AdaLoRA": Tuner(type="AdaLoRA"),
    "VeRA": Tuner(type="VeRA"),
    "FourierFT": Tuner(type="FourierFT"),
}
METHODS = ("PT", "DPO", "SimPO", "ORPO", "KTO", "CPO", "RM", "GRPO", "RLOO", "OnlineDPO", "GKD")
Case = tuple[str, str, str, int, bool]
"""(method, tuner, shape, tokens, checkpointing)"""

EIGHT_B = {
    "vocab_size": 128256,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "pad_token_id": 2,
}


def cases() -> list[Case]:
    sft = [
        ("SFT", tuner, shape, length, checkpointing)
        for tuner, shape, (length, checkpointing) in itertools.product(
            ("LoRA", "Full"), SHAPES, [(64, False), (256, False), (256, True)]
        )
    ]
    tuners = [("SFT", name, "4 M", 128, False) for name in TUNERS if name not in ("LoRA", "Full")]
    methods = [
        (method, tuner, "4 M", 64, checkpointing)
        for method, (tuner, checkpointing) in itertools.product(
            METHODS, [("LoRA", False), ("Full", True)]
        )
    ]
    return [*sft, *tuners, *methods]


def plan(case: Case) -> EstimatePlan:
    method, tuner, _, length, _ = case
    params: dict[str, Any] = {"global_batch_size": 8, "micro_batch_size": 2, "max_length": length}
    if method in (*REWARDED, "GKD"):
        params["max_completion_length"] = 32
    if method in ("GRPO", "RLOO"):
        params["num_generations"] = 4
    return plan_of(method, TUNERS[tuner], **params)


def compared(case: Case, folder: Path) -> float:
    """The error in percent."""
    setting, wanted = Setting(2, case[4]), plan(case)
    real = really(wanted, setting, folder)
    with tempfile.TemporaryDirectory() as scratch:
        told = rehearse(wanted, setting, torch.float32, tokenizer(), folder, Path(scratch)).alone
    if wanted.method in ("GRPO", "RLOO") and wanted.tuner.type == "Full":
        # The real steps of this bench go without the reference that the estimate counts.
        told = Memory(real.weights, 0, told.gradients, told.optimizer, told.activations)
    error = 100 * (told.total / real.total - 1)
    method, tuner, shape, length, checkpointing = case
    print(
        f"{method:10} {tuner:10} {shape:>5} {length:>6} {'yes' if checkpointing else 'no':>4} "
        f"{real.total / 1e6:>10.2f} {told.total / 1e6:>10.2f} {error:>+8.2f}",
        flush=True,
    )
    return error


def eight_b(root: Path) -> None:
    """An 8B shape: how long it takes, and how much memory of the estimator's own."""
    folder = root / "8b"
    LlamaConfig(architectures=["LlamaForCausalLM"], **EIGHT_B).save_pretrained(folder / "model")
    adapter = Tuner(rank=8, target_modules=["q_proj", "v_proj"])
    print("\n8B shape, bfloat16, 1 row of 2048 tokens: GiB needed, seconds to tell, of a processor")
    for tuner, checkpointing in ((adapter, False), (adapter, True), (FULL, False)):
        wanted = plan_of("SFT", tuner, global_batch_size=8, max_length=2048)
        began, worked = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as scratch:
            told = rehearse(
                wanted,
                Setting(1, checkpointing),
                torch.bfloat16,
                tokenizer(),
                folder,
                Path(scratch),
            ).alone
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        name = f"{tuner.type}{', checkpointing' if checkpointing else ''}"
        print(f"{name:22} {told.total / 2**30:>7.1f} {seconds:>6.1f} {worked:>6.1f}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"the estimator's process at its peak: {peak:.2f} GiB")


def main() -> None:
    warnings.filterwarnings("ignore")
    root = Path(tempfile.mkdtemp())
    eight_b(root)
    folders = {name: make(root / str(shape[0]), *shape) for name, shape in SHAPES.items()}
    print("\nmethod     tuner      model tokens ckpt  really MB    told MB  error %")
    errors = [compared(case, folders[case[2]]) for case in cases()]
    mean = sum(map(abs, errors)) / len(errors)
    print(f"\n{len(errors)} runs: mean absolute error {mean:.2f} %, lowest {min(errors):+.2f} %")
    sys.exit(mean > 3 or min(errors) < -2)


if __name__ == "__main__":
    main()
