"""Small models of several shapes, and what two real steps of training hold of memory."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Config

from martlet_api.contract import EstimatePlan, Input
from martlet_api.training import Hyperparameters, Tuner
from martlet_runtime.estimate.live import Counted, Live
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.rehearsal import measured, one_pass, stepped, task_of
from martlet_runtime.paths import Paths
from martlet_runtime.train.methods import METHODS
from martlet_runtime.train.task import Task
from martlet_runtime.train.tuners import TUNERS, Target

END = "</s>"


def tokenizer() -> PreTrainedTokenizerFast:
    """Three words: nothing is said with it."""
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1, END: 2}, unk_token="a"))
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    return PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token=END, pad_token=END, chat_template=template
    )


def make(folder: Path, hidden: int, layers: int, vocabulary: int = 3000) -> Path:
    """A Qwen2 of random weights as ``model``, and as ``teacher``."""
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        pad_token_id=2,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "model")
    tokenizer().save_pretrained(folder / "model")
    (folder / "teacher").symlink_to(folder / "model")
    return folder


def plan_of(method: str, tuner: Tuner, **params: Any) -> EstimatePlan:
    return EstimatePlan(
        method=method,
        tuner=tuner,
        hyperparameters=Hyperparameters(**params),
        precision="FP32",
        on_accelerator=False,
        model=Input(name="model", kind="Model", uri="pvc://models/base"),
    )


def real_task(
    plan: EstimatePlan, setting: Setting, folder: Path, scratch: Path, callbacks: tuple[Any, ...]
) -> Task:
    """Two steps of each of a plan's processes, which is one of them."""
    method, tuner = METHODS[plan.method], TUNERS[plan.tuner.type]
    model = method.load(Paths(folder, folder, folder, folder), torch.float32)
    task = task_of(plan, setting, torch.float32, tokenizer(), scratch, model)
    own = task.hyperparameters.global_batch_size
    steps = {"global_batch_size": own * plan.processes, "max_steps": 2}
    row = method.longest(plan.hyperparameters.max_length)
    return replace(
        task,
        rows=Dataset.from_list([row] * own * plan.processes * 2),
        peft_config=tuner.config(plan.tuner, Target(model, method.task_type, method.head)),
        hyperparameters=task.hyperparameters.model_copy(update=steps),
        processes=plan.processes,
        strategy=plan.strategy,
        callbacks=callbacks,
    )


def really(plan: EstimatePlan, setting: Setting, folder: Path) -> Memory:
    """Two steps with real numbers, counted."""
    method, tuner, live = METHODS[plan.method], TUNERS[plan.tuner.type], Live()
    paths = Paths(folder, folder, folder, folder)
    dtype = torch.float32
    model = method.load(paths, dtype, tuner.quantization(dtype))
    with tempfile.TemporaryDirectory() as scratch:
        task = task_of(plan, setting, dtype, tokenizer(), Path(scratch), model)
        target = Target(model, method.task_type, method.head)
        teacher = METHODS["GKD"].load(paths, dtype) if plan.method == "GKD" else None
        config = tuner.config(plan.tuner, target)
        trainer = method.trainer(replace(task, peft_config=config, teacher=teacher))
        with Counted(live):
            return measured(trainer, live, plan, two_steps)


def two_steps(trainer: Any, learning: list[Any]) -> int:
    """Whole ones, as a training run has them; bytes of gradients."""
    gradients = 0
    for _ in range(2):
        for _ in range(trainer.args.gradient_accumulation_steps):
            one_pass(trainer)
        gradients = stepped(trainer, learning)
        trainer.model.zero_grad()
    return gradients
