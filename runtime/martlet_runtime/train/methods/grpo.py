"""GRPO: several answers a question, each rewarded beside the others, by TRL's GRPOTrainer."""

from typing import Any

from trl import GRPOConfig, GRPOTrainer

from martlet_api.training import Hyperparameters
from martlet_runtime.train import rewards
from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA, _GENERATIONS, _TEMPERATURE = 0.04, 8, 0.9


def trainer(task: Task) -> GRPOTrainer:
    params = task.hyperparameters
    beta = task.setting(params.beta, _BETA)
    if beta:
        reference.on_disk(task)
    config = GRPOConfig(
        **task.arguments(),
        beta=beta,
        num_generations=params.num_generations or _GENERATIONS,
        max_completion_length=params.max_completion_length or prompts.COMPLETION,
        temperature=task.setting(params.temperature, _TEMPERATURE),
        reward_weights=rewards.weights(task.rewards),
    )
    return GRPOTrainer(
        args=config, reward_funcs=rewards.functions(task.rewards, task.tokenizer), **task.given()
    )


def answered(trainer: Any, params: Hyperparameters) -> None:
    """As RLOO's, with no probabilities of a sampler's."""
    prompts.answered(trainer, params)
    generate = trainer._generate_single_turn
    trainer._generate_single_turn = lambda *args, **_: (generate(args[0]), None)


METHOD = Method(prompts.render, trainer, prompts.longest, answered)
