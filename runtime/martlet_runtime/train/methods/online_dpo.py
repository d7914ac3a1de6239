"""Online DPO: two answers a question, of which the better rewarded is preferred, by TRL's
OnlineDPOTrainer."""

from typing import Any

import torch
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

from martlet_api.training import Hyperparameters
from martlet_runtime.train import rewards
from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA, _TEMPERATURE = 0.1, 1.0


def trainer(task: Task) -> OnlineDPOTrainer:
    params = task.hyperparameters
    completion = params.max_completion_length or prompts.COMPLETION
    config = OnlineDPOConfig(
        **task.arguments(),
        beta=task.setting(params.beta, _BETA),
        max_new_tokens=completion,
        max_length=params.max_length + completion,
        temperature=task.setting(params.temperature, _TEMPERATURE),
        reward_weights=rewards.weights(task.rewards),
    )
    return OnlineDPOTrainer(
        args=config,
        reward_funcs=prompts.rewarded(task),
        ref_model=reference.copied(task),
        **task.given(),
    )


def answered(trainer: Any, params: Hyperparameters) -> None:
    """Two answers to each question, of the greatest length."""

    def generate(model: Any, asked: list[Any], images: Any = None) -> tuple[Any, ...]:
        lengths = (params.max_length, params.max_completion_length or prompts.COMPLETION)
        prompt, answer = (torch.zeros(2 * len(asked), n, dtype=torch.long) for n in lengths)
        return prompt, torch.ones_like(prompt), answer, torch.ones_like(answer), None

    trainer._generate = generate


METHOD = Method(prompts.render, trainer, prompts.longest, answered)
