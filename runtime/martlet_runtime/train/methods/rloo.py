"""RLOO: several answers a question, each rewarded over the mean of the others, by TRL's
RLOOTrainer."""

from trl import RLOOConfig, RLOOTrainer

from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task


def trainer(task: Task) -> RLOOTrainer:
    reference.on_disk(task)
    config = RLOOConfig(**task.arguments(), **prompts.several_answers(task))
    return RLOOTrainer(args=config, reward_funcs=prompts.rewarded(task), **task.given())


METHOD = Method(prompts.render, trainer, prompts.longest, prompts.answered)
