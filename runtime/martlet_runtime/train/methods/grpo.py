"""GRPO: several answers a question, each rewarded beside the others, by TRL's GRPOTrainer."""

from trl import GRPOConfig, GRPOTrainer

from martlet_runtime.train import rewards
from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA, _GENERATIONS, _COMPLETION, _TEMPERATURE = 0.04, 8, 512, 0.9


def trainer(task: Task) -> GRPOTrainer:
    params = task.hyperparameters
    beta = task.setting(params.beta, _BETA)
    if beta:
        reference.on_disk(task)
    config = GRPOConfig(
        **task.arguments(),
        beta=beta,
        num_generations=params.num_generations or _GENERATIONS,
        max_completion_length=params.max_completion_length or _COMPLETION,
        temperature=task.setting(params.temperature, _TEMPERATURE),
        reward_weights=rewards.weights(task.rewards),
    )
    return GRPOTrainer(
        args=config, reward_funcs=rewards.functions(task.rewards, task.tokenizer), **task.given()
    )


METHOD = Method(prompts.render, trainer)
