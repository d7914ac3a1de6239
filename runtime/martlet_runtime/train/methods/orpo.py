"""ORPO: learns the chosen answer and its odds over the rejected one, by TRL's ORPOTrainer."""

from typing import Any

from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from martlet_runtime.train.methods import pairs
from martlet_runtime.train.methods.base import Method, Row
from martlet_runtime.train.task import Task

_BETA = 0.1


class _Trainer(ORPOTrainer):  # type: ignore[misc]
    """Takes rows that are rendered already."""

    def tokenize_row(self, feature: Row, model: Any = None) -> Row:
        return pairs.columns(feature)


def trainer(task: Task) -> ORPOTrainer:
    params = task.hyperparameters
    beta = task.setting(params.beta, _BETA)
    config = ORPOConfig(**task.arguments(), beta=beta, max_length=params.max_length)
    return _Trainer(args=config, **task.given())


METHOD = Method(pairs.render, trainer, pairs.longest)
