"""GRPO: several answers a question, each rewarded beside the others, by TRL's GRPOTrainer."""

from typing import Any

from trl import GRPOConfig, GRPOTrainer

from martlet_api.training import Hyperparameters
from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task


def trainer(task: Task) -> GRPOTrainer:
    reference.on_disk(task)
    config = GRPOConfig(**task.arguments(), **prompts.several_answers(task))
    return GRPOTrainer(args=config, reward_funcs=prompts.rewarded(task), **task.given())


def answered(trainer: Any, params: Hyperparameters) -> None:
    """As RLOO's, with no probabilities of a sampler's."""
    prompts.answered(trainer, params)
    generate = trainer._generate_single_turn
    trainer._generate_single_turn = lambda *args, **_: (generate(args[0]), None)


METHOD = Method(prompts.render, trainer, prompts.longest, answered)
