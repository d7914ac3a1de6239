"""Online DPO: two answers a question, of which the better rewarded is preferred, by TRL's
OnlineDPOTrainer."""

from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

from martlet_runtime.train import rewards
from martlet_runtime.train.methods import prompts, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA, _COMPLETION, _TEMPERATURE = 0.1, 512, 1.0


def trainer(task: Task) -> OnlineDPOTrainer:
    params = task.hyperparameters
    completion = params.max_completion_length or _COMPLETION
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
        reward_funcs=rewards.functions(task.rewards, task.tokenizer),
        ref_model=reference.copied(task),
        **task.given(),
    )


METHOD = Method(prompts.render, trainer)
