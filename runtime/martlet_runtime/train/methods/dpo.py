"""DPO: learns to prefer the chosen answer, near to the reference, by TRL's DPOTrainer."""

from typing import Any

from trl import DPOConfig, DPOTrainer

from martlet_runtime.train.methods import pairs, reference
from martlet_runtime.train.methods.base import Method
from martlet_runtime.train.task import Task

_BETA = 0.1


class _Trainer(DPOTrainer):  # type: ignore[misc]
    """Takes rows that are rendered already."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset


def trainer(task: Task) -> DPOTrainer:
    beta = task.setting(task.hyperparameters.beta, _BETA)
    config = DPOConfig(**task.arguments(), beta=beta, max_length=None)
    return _Trainer(args=config, ref_model=reference.copied(task), **task.given())


METHOD = Method(pairs.render, trainer, pairs.longest)
