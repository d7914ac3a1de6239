"""Two passes of the real trainer, on a model that is pretended, to see what they hold at most."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from martlet_api.contract import EstimatePlan
from martlet_api.finetunejob import CheckpointSettings
from martlet_api.training import REWARDED, Hyperparameters, Reward
from martlet_runtime.estimate import nf4
from martlet_runtime.estimate.live import Live
from martlet_runtime.estimate.memory import Memory, Setting
from martlet_runtime.estimate.pretended import Pretended, shapes_alone
from martlet_runtime.estimate.sharing import Units, shared, units_of
from martlet_runtime.estimate.step import Step, Watch
from martlet_runtime.train.methods import METHODS
from martlet_runtime.train.methods.prompts import COMPLETION
from martlet_runtime.train.task import Task
from martlet_runtime.train.tuners import TUNERS, Target

_STEPS = 10
_ANY_REWARD = Reward(type="Length", target_length=1)
"""No endpoint is asked while nobody trains."""


@dataclass(frozen=True)
class Rehearsed:
    """What one process alone would hold, and what of the model is gathered where several share
    it; None where there is one process."""

    alone: Memory
    sharing: tuple[Units, Step] | None

    def by(self, setting: Setting, processes: int) -> Memory:
        """What the process that holds most would hold by a setting's strategy."""
        if self.sharing is None:
            return self.alone
        return shared(self.alone, setting, processes, *self.sharing)


def rehearse(
    plan: EstimatePlan,
    setting: Setting,
    dtype: torch.dtype,
    tokenizer: Any,
    inputs: Path,
    scratch: Path,
) -> Rehearsed:
    """``inputs`` has the configurations of ``model`` and, for GKD, of ``teacher``. A setting's
    strategy plays no part yet."""
    live = Live()
    mode = Pretended(live)
    with shapes_alone():
        trainer = _trainer(plan, setting, dtype, tokenizer, inputs, scratch)
    if plan.tuner.type == "QLoRA":
        nf4.halve_adapters(trainer.model)
    for model in _models(trainer):
        mode.take(model)
    with mode:
        watch = Watch(trainer.model, live) if plan.processes > 1 else None
        found = _with_reference(measured(trainer, live, plan), plan)
    found = _while_answering(found, trainer, plan, setting)
    if plan.tuner.type == "QLoRA":
        found = _quantized(found, trainer.model)
    return Rehearsed(found, (units_of(trainer.model), watch.step(found)) if watch else None)


def _trainer(
    plan: EstimatePlan,
    setting: Setting,
    dtype: torch.dtype,
    tokenizer: Any,
    inputs: Path,
    scratch: Path,
) -> Any:
    method, tuner = METHODS[plan.method], TUNERS[plan.tuner.type]
    model = method.shape(inputs / "model", dtype)
    # How an adapter begins takes no memory, and a spectrum has none on shapes.
    plain = plan.tuner.model_copy(update={"init_lora_weights": None})
    config = tuner.config(plain, Target(model, method.task_type, method.head))
    teacher = METHODS["GKD"].shape(inputs / "teacher", dtype) if plan.method == "GKD" else None
    task = task_of(plan, setting, dtype, tokenizer, scratch, model)
    return method.trainer(replace(task, peft_config=config, teacher=teacher))


def two_passes(trainer: Any, learning: list[Any]) -> int:
    """Bytes of gradients. The second pass finds the optimizer's states and, where a step has
    several, the gradients of one before: no later pass holds more."""
    gradients = 0
    for _ in range(2):
        one_pass(trainer)
        gradients = stepped(trainer, learning)
        if trainer.args.gradient_accumulation_steps == 1:
            trainer.model.zero_grad()
    return gradients


def measured(
    trainer: Any,
    live: Live,
    plan: EstimatePlan,
    train: Callable[[Any, list[Any]], int] = two_passes,
) -> Memory:
    """By what is alive while a trainer trains."""
    METHODS[plan.method].answered(trainer, plan.hyperparameters)
    models = _models(trainer)
    live.add([list(model.parameters()) + list(model.buffers()) for model in models])
    learning = [weights for weights in trainer.model.parameters() if weights.requires_grad]
    weights, learnt = live.now, _bytes(learning)
    live.begin()
    trainer.create_optimizer_and_scheduler(_STEPS)
    _enable_checkpointing(trainer)
    gradients = train(trainer, learning)
    optimizer = _bytes(_states(trainer.optimizer))
    adapter = learnt if plan.tuner.type != "Full" else 0
    rest = max(0, live.peak - weights - gradients - optimizer)
    return Memory(weights - adapter, adapter, gradients, optimizer, rest)


def one_pass(trainer: Any) -> None:
    trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
    batches = iter(trainer.get_train_dataloader())
    batch, counted = trainer.get_batch_samples(batches, 1, torch.device("cpu"))
    loss = trainer.training_step(trainer.model, batch[0], counted)
    del loss, batch


def stepped(trainer: Any, learning: list[Any]) -> int:
    """The optimizer's part of a step; returns the bytes of gradients."""
    trainer.accelerator.clip_grad_norm_(learning, trainer.args.max_grad_norm)
    gradients = _bytes(weights.grad for weights in learning if weights.grad is not None)
    trainer.optimizer.step()
    return gradients


def task_of(
    plan: EstimatePlan,
    setting: Setting,
    dtype: torch.dtype,
    tokenizer: Any,
    scratch: Path,
    model: Any,
) -> Task:
    params = settled(plan, setting)
    row = METHODS[plan.method].longest(params.max_length)
    return Task(
        model=model,
        tokenizer=tokenizer,
        rows=Dataset.from_list([row] * params.global_batch_size),
        validation=None,
        peft_config=None,
        learning_rate=1e-4,
        hyperparameters=params,
        checkpoint=CheckpointSettings(),
        dtype=dtype,
        output=scratch / "rehearsal",
        scratch=scratch,
        callbacks=(),
        rewards=(_ANY_REWARD,) if plan.method in REWARDED else (),
    )


def settled(plan: EstimatePlan, setting: Setting) -> Hyperparameters:
    """The settings to rehearse with: at most two passes a step, since a third holds no more."""
    params = plan.hyperparameters
    rows = max(params.global_batch_size // plan.processes, setting.micro_batch_size)
    if plan.method not in REWARDED:
        rows = min(rows, 2 * setting.micro_batch_size)
    return params.model_copy(
        update={
            "global_batch_size": rows,
            "micro_batch_size": setting.micro_batch_size,
            "gradient_checkpointing": "Enabled" if setting.gradient_checkpointing else "Disabled",
            **({"beta": 0.0} if _reads_reference(plan) else {}),
        }
    )


def _reads_reference(plan: EstimatePlan) -> bool:
    """Whether the trainer would read the reference from a disk, which has no pretended weights."""
    return plan.method in ("GRPO", "RLOO") and plan.tuner.type == "Full"


def _with_reference(found: Memory, plan: EstimatePlan) -> Memory:
    if not _reads_reference(plan) or plan.hyperparameters.beta == 0:
        return found
    return replace(found, weights=2 * found.weights)


def _while_answering(found: Memory, trainer: Any, plan: EstimatePlan, setting: Setting) -> Memory:
    """Where the model answers, all questions of a step are in its cache of keys and values at
    once; gradients are not there then."""
    if plan.method not in REWARDED:
        return found
    params, config = plan.hyperparameters, trainer.model.config.get_text_config()
    rows = 2 * setting.micro_batch_size
    if plan.method != "OnlineDPO":
        rows = params.global_batch_size // plan.processes
    tokens = rows * (params.max_length + (params.max_completion_length or COMPLETION))
    cache = tokens * _cached_bytes(config, next(trainer.model.parameters()).element_size())
    return replace(found, activations=max(found.activations, cache - found.gradients))


def _cached_bytes(config: Any, size: int) -> int:
    """Of one token: a key and a value a layer."""
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * size)


def _quantized(found: Memory, model: Any) -> Memory:
    saved, largest = nf4.saved_bytes(model)
    return replace(found, weights=found.weights - saved, activations=found.activations + largest)


def _models(trainer: Any) -> list[Any]:
    """All whose weights are there: the reference and the teacher, too."""
    others = (getattr(trainer, name, None) for name in ("ref_model", "teacher_model"))
    return [trainer.model, *(model for model in others if model is not None)]


def _enable_checkpointing(trainer: Any) -> None:
    """As the trainer's own loop does at its beginning."""
    if trainer.args.gradient_checkpointing:
        trainer.model.gradient_checkpointing_enable(
            gradient_checkpointing_kwargs=trainer.args.gradient_checkpointing_kwargs
        )
    trainer.model.train()


def _states(optimizer: Any) -> Iterator[Any]:
    inner = getattr(optimizer, "optimizer", optimizer)
    for state in inner.state.values():
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def _bytes(tensors: Iterable[Any]) -> int:
    live = Live()
    live.add(list(tensors))
    return live.now
