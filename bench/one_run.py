"""One training run, measured from inside: ``one_run.py SIDE FOLDER STEPS ROWS SAVE_STEPS``.

SIDE is ``martlet``, the flow that a pod runs, or ``trl``, the script that one would write with TRL
alone: the same model, rows, labels, hyperparameters and rows a pass. Prints one line of JSON.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

START = float(os.environ["BENCH_START"])
"""``time.time()`` of the parent when it started this process."""
MEASURED: dict[str, Any] = {"saves": []}


def measure() -> None:
    """Wraps transformers' Trainer: both sides are measured at the same places."""
    from transformers import Trainer

    MEASURED["imported"] = time.time() - START
    train, step, save = Trainer.train, Trainer.training_step, Trainer._save_checkpoint

    def timed_train(self: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        out = train(self, *args, **kwargs)
        MEASURED["seconds"] = time.perf_counter() - began
        MEASURED["steps"] = self.state.global_step
        MEASURED["loss"] = out.training_loss
        return out

    def timed_step(self: Any, *args: Any, **kwargs: Any) -> Any:
        out = step(self, *args, **kwargs)
        MEASURED.setdefault("first_step", time.time() - START)
        return out

    def timed_save(self: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        out = save(self, *args, **kwargs)
        MEASURED["saves"].append(time.perf_counter() - began)
        return out

    Trainer.train, Trainer.training_step = timed_train, timed_step
    Trainer._save_checkpoint = timed_save


def martlet(root: Path, steps: int, rows: int, save_steps: int) -> None:
    from martlet_api.contract import Input, OutputPlan, Plan, TrainPlan
    from martlet_api.finetunejob import CheckpointSettings
    from martlet_api.runs import ArtifactBase
    from martlet_api.training import Hyperparameters, Tuner
    from martlet_runtime.paths import Paths
    from martlet_runtime.report import Report
    from martlet_runtime.train import flow

    measure()
    plan = Plan(
        kind="FineTuneJob", namespace="bench", name="bench", run="r",
        inputs=[
            Input(
                name="dataset-0", kind="Dataset", uri="pvc://data/train.jsonl",
                rows="Conversation",
            )
        ],
        train=TrainPlan(
            method="SFT",
            tuner=Tuner(type="LoRA", rank=8, alpha=32, dropout=0),
            hyperparameters=Hyperparameters(
                max_steps=steps, global_batch_size=rows, micro_batch_size=rows, max_length=1024,
            ),
            precision="FP32",
            checkpoint=CheckpointSettings(every_steps=save_steps),
            base=ArtifactBase(uri="pvc://models/base", digest="sha256:" + "0" * 64),
            output=OutputPlan(uri="pvc://models/bench/r", record={}),
        ),
    )  # fmt: skip
    inputs = root / "inputs"
    inputs.mkdir(exist_ok=True)
    (inputs / "model").symlink_to(root / "base")
    (inputs / "dataset-0").symlink_to(root / "train.jsonl")
    work = root / "work"
    work.mkdir()
    flow.run(plan, Paths(inputs, work, root / "volumes", root / "termination"), Report())


def trl(root: Path, steps: int, rows: int, save_steps: int) -> None:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    measure()
    # The labels are ours on both sides: TRL's own mask wants markers that few templates have.
    from martlet_runtime.rendering import render

    tokenizer = AutoTokenizer.from_pretrained(root / "base")
    lines = [json.loads(line) for line in (root / "train.jsonl").read_text().splitlines()]
    data = Dataset.from_list([render(tokenizer, line["messages"], 1024) for line in lines])
    SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(root / "base", dtype=torch.float32),
        args=SFTConfig(
            output_dir=str(root / "trl"), max_steps=steps, learning_rate=1e-4,
            per_device_train_batch_size=rows, gradient_accumulation_steps=1,
            gradient_checkpointing=False, weight_decay=0.1, warmup_steps=0.05,
            lr_scheduler_type="cosine", adam_beta2=0.95, logging_steps=5, use_cpu=True, bf16=False,
            save_strategy="no", report_to="none", disable_tqdm=True, max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=data,
        processing_class=tokenizer,
        peft_config=LoraConfig(
            task_type="CAUSAL_LM", r=8, lora_alpha=32, lora_dropout=0, target_modules="all-linear"
        ),
    ).train()  # fmt: skip


if __name__ == "__main__":
    side, folder, *numbers = sys.argv[1:]
    {"martlet": martlet, "trl": trl}[side](Path(folder), *map(int, numbers))
    print("BENCH " + json.dumps(MEASURED))
