"""RLOO: several answers a question, each rewarded over the mean of the others, by TRL's
RLOOTrainer."""

from trl import RLOOConfig, RLOOTrainer

from martlet_runtime.train import rewards
from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA, _GENERATIONS, _TEMPERATURE = 0.04, 8, 0.9


def trainer(task: Task) -> RLOOTrainer:
    params = task.hyperparameters
    beta = task.setting(params.beta, _BETA)
    if beta:
        reference.on_disk(task)
    config = RLOOConfig(
        **task.arguments(),
        beta=beta,
        num_generations=params.num_generations or _GENERATIONS,
        max_completion_length=params.max_completion_length or prompts.COMPLETION,
        temperature=task.setting(params.temperature, _TEMPERATURE),
        reward_weights=rewards.weights(task.rewards),
    )
    return RLOOTrainer(
        args=config, reward_funcs=rewards.functions(task.rewards, task.tokenizer), **task.given()
    )


METHOD = Method(prompts.render, trainer, prompts.longest, prompts.answered)
