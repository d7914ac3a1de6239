"""GKD: learns the teacher's probabilities, on rows and on answers of its own, by TRL's
GKDTrainer."""

from typing import Any

import torch
from trl.experimental.gkd import GKDConfig, GKDTrainer
from trl.trainer.utils import pad

from martlet_api.conditions import Reason
from martlet_api.training import Hyperparameters
from martlet_runtime.errors import UserError
from martlet_runtime.rendering import IGNORED
from martlet_runtime.train.methods import sft
from martlet_runtime.train.methods.base import Method, Row
from martlet_runtime.train.task import Task

_BETA, _LMBDA, _COMPLETION, _TEMPERATURE = 0.5, 0.5, 512, 0.9


class Collator:
    """Pads rendered rows. ``prompts`` is what comes before the last answer, for the steps on
    answers of the student's own; padded on the left, since generation goes on from its end."""

    def __init__(self, pad_token: int) -> None:
        self._pad = pad_token

    def __call__(self, rows: list[Row]) -> dict[str, torch.Tensor]:
        ids = [torch.tensor(row["input_ids"]) for row in rows]
        labels = [torch.tensor(row["labels"]) for row in rows]
        prompts = [row[: _last_answer(label)] for row, label in zip(ids, labels, strict=True)]
        return {
            "input_ids": pad(ids, self._pad),
            "attention_mask": pad([torch.ones_like(row) for row in ids], 0),
            "labels": pad(labels, IGNORED),
            "prompts": pad(prompts, self._pad, "left"),
            "prompt_attention_mask": pad([torch.ones_like(row) for row in prompts], 0, "left"),
        }


def _last_answer(labels: torch.Tensor) -> int:
    """Where the last learnt stretch begins."""
    learnt = (labels != IGNORED).int()
    starts = (torch.diff(learnt, prepend=torch.zeros(1, dtype=torch.int)) == 1).nonzero()
    return int(starts[-1])


def trainer(task: Task) -> GKDTrainer:
    params = task.hyperparameters
    _check_vocabulary(task)
    config = GKDConfig(
        **task.arguments(),
        beta=task.setting(params.beta, _BETA),
        lmbda=task.setting(params.lmbda, _LMBDA),
        temperature=task.setting(params.temperature, _TEMPERATURE),
        max_new_tokens=params.max_completion_length or _COMPLETION,
        max_length=None,
    )
    return GKDTrainer(
        args=config,
        teacher_model=task.teacher,
        data_collator=Collator(task.tokenizer.pad_token_id),
        **task.given(),
    )


def _check_vocabulary(task: Task) -> None:
    sizes = [model.config.get_text_config().vocab_size for model in (task.model, task.teacher)]
    if sizes[0] != sizes[1]:
        raise UserError(
            Reason.MODEL_INVALID,
            f"The teacher's vocabulary has {sizes[1]} tokens and the model's {sizes[0]}: their "
            "probabilities cannot be compared. Name a teacher of the same family in spec.teacher.",
        )


def answered(trainer: Any, params: Hyperparameters) -> None:
    """A row is as long as an answer of the student's own may be, so rows alone are rehearsed."""
    trainer.lmbda = 0.0


METHOD = Method(sft.render, trainer, sft.longest, answered)
