"""CPO: learns the chosen answer and to prefer it, without a reference, by TRL's CPOTrainer."""

from typing import Any

from trl.experimental.cpo import CPOConfig, CPOTrainer

from martlet_runtime.train.methods import pairs
from martlet_runtime.train.methods.base import Method, Row
from martlet_runtime.train.task import Task

_BETA, _ALPHA = 0.1, 1.0


class Trainer(CPOTrainer):  # type: ignore[misc]
    """Takes rows that are rendered already."""

    def tokenize_row(self, feature: Row, model: Any = None) -> Row:
        return pairs.columns(feature)


def trainer(task: Task) -> CPOTrainer:
    params = task.hyperparameters
    config = CPOConfig(
        **task.arguments(),
        beta=task.setting(params.beta, _BETA),
        cpo_alpha=task.setting(params.cpo_alpha, _ALPHA),
        max_length=params.max_length,
    )
    return Trainer(args=config, **task.given())


METHOD = Method(pairs.render, trainer, pairs.longest)
