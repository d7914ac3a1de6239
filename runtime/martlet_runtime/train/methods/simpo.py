"""SimPO: prefers by mean log-probability and a margin, without a reference; TRL's CPOTrainer with
SimPO's loss and no part of CPO's."""

from trl.experimental.cpo import CPOConfig, CPOTrainer

from martlet_runtime.train.methods import cpo, pairs
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA, _GAMMA = 2.0, 1.0


def trainer(task: Task) -> CPOTrainer:
    params = task.hyperparameters
    config = CPOConfig(
        **task.arguments(),
        loss_type="simpo",
        cpo_alpha=0.0,
        beta=task.setting(params.beta, _BETA),
        simpo_gamma=task.setting(params.simpo_gamma, _GAMMA),
        max_length=params.max_length,
    )
    return cpo.Trainer(args=config, **task.given())


METHOD = Method(pairs.render, trainer, pairs.longest)
