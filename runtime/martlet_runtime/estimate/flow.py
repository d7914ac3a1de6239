"""Estimates what a run would need, and says so or refuses it with numbers."""

import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from martlet_api.conditions import Reason
from martlet_api.contract import EstimatePlan
from martlet_api.finetunejob import Estimate
from martlet_runtime.data import Render
from martlet_runtime.errors import UserError
from martlet_runtime.estimate.choosing import Choice, alternatives, choose
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.rehearsal import Rehearsed, rehearse
from martlet_runtime.loading import load_tokenizer
from martlet_runtime.paths import Paths
from martlet_runtime.train.methods import METHODS

GIB = 1 << 30
_CONTEXT = 700 << 20
"""Bytes that CUDA and its libraries take of an accelerator before the first tensor."""
_FRAGMENTED = 0.03
"""The part of an allocator's memory that lies between tensors."""
_PROCESS = 1200 << 20
"""Bytes of a process on a CPU with all that training imports, before the first tensor."""
_TOLD = 3


def tokenizer_of(plan: EstimatePlan, paths: Paths) -> Any:
    """The tokenizer that training will render by; ModelInvalid where it cannot be loaded."""
    return load_tokenizer(paths, chats=METHODS[plan.method].chats)


def renderer_of(plan: EstimatePlan, tokenizer: Any) -> Render:
    """What training will make of a row."""
    return METHODS[plan.method].renderer(tokenizer, plan.hyperparameters)


def run(plan: EstimatePlan, paths: Paths, tokenizer: Any) -> Estimate:
    """InsufficientMemory, with the nearest settings that would fit, where nothing fits."""
    precision = _precision(plan)
    dtype = {"BF16": torch.bfloat16, "FP32": torch.float32}[precision]
    with tempfile.TemporaryDirectory(dir=paths.work) as scratch:
        needs = _needs(dtype, tokenizer, paths.inputs, Path(scratch))
        room = None if plan.capacity is None else _room(plan, plan.capacity)
        choice = choose(plan, needs, room)
        if choice.fits is False:
            assert room is not None
            raise _refusal(plan, choice, list(islice(alternatives(plan, needs, room), _TOLD)))
    return _estimate(plan, choice, precision)


def _needs(dtype: torch.dtype, tokenizer: Any, inputs: Path, scratch: Path) -> Any:
    known: dict[tuple[str, Setting], Rehearsed] = {}

    def needs(plan: EstimatePlan, setting: Setting) -> Memory:
        alone = replace(setting, strategy="DDP")
        key = (plan.model_dump_json(), alone)
        if key not in known:
            known[key] = rehearse(plan, alone, dtype, tokenizer, inputs, scratch)
        return known[key].by(setting, plan.processes)

    return needs


def _precision(plan: EstimatePlan) -> Any:
    if plan.precision != "Auto":
        return plan.precision
    return "BF16" if plan.on_accelerator else "FP32"


def _room(plan: EstimatePlan, capacity: int) -> int:
    """What is left for tensors."""
    return int((capacity - _outside(plan)) / (1 + (_FRAGMENTED if plan.on_accelerator else 0)))


def _outside(plan: EstimatePlan) -> int:
    return _CONTEXT if plan.on_accelerator else _PROCESS


def _runtime(plan: EstimatePlan, memory: Memory) -> int:
    between = int(memory.total * _FRAGMENTED) if plan.on_accelerator else 0
    return _outside(plan) + between


def _estimate(plan: EstimatePlan, choice: Choice, precision: Any) -> Estimate:
    memory = choice.memory
    parts = {
        "weights": memory.weights,
        "adapter": memory.adapter,
        "gradients": memory.gradients,
        "optimizer": memory.optimizer,
        "activations": memory.activations,
        "runtime": _runtime(plan, memory),
    }
    return Estimate(
        per_accelerator=sum(parts.values()),
        available=plan.capacity,
        breakdown={name: size for name, size in parts.items() if size},
        precision=precision,
        micro_batch_size=choice.setting.micro_batch_size,
        gradient_checkpointing=choice.setting.gradient_checkpointing,
        strategy=choice.setting.strategy if plan.processes > 1 else None,
    )


def _refusal(plan: EstimatePlan, choice: Choice, others: list[tuple[str, int]]) -> UserError:
    assert plan.capacity is not None
    memory = choice.memory
    needed = memory.total + _runtime(plan, memory)
    where = "the accelerator" if plan.on_accelerator else "the container"
    told = "; ".join(f"{text} ({_gib(size + _outside(plan))})" for text, size in others)
    mend = f"What would fit: {told}." if told else "Nothing that was tried would fit."
    return UserError(
        Reason.INSUFFICIENT_MEMORY,
        f"Training needs {_gib(needed)} and {where} has {_gib(plan.capacity)}: weights "
        f"{_gib(memory.weights + memory.adapter)}, gradients {_gib(memory.gradients)}, optimizer "
        f"{_gib(memory.optimizer)}, activations {_gib(memory.activations)} at "
        f"{choice.setting.micro_batch_size} row of {plan.hyperparameters.max_length} tokens a "
        f"pass, and {_gib(_outside(plan))} before the first tensor. {mend} Or give it more memory.",
    )


def _gib(size: int) -> str:
    if size < GIB:
        return f"{size / (1 << 20):.0f} MiB"
    return f"{size / GIB:.1f} GiB" if size >= 10 * GIB else f"{size / GIB:.2f} GiB"
