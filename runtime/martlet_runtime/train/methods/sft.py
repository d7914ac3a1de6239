"""SFT: learns the assistant's answers, by TRL's SFTTrainer."""

from typing import Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from martlet_runtime.rendering import render_to_learn
from martlet_runtime.train.task import Task


def trainer(task: Task) -> SFTTrainer:
    """Rows come rendered and labelled: TRL's own mask refuses templates without markers."""
    config = SFTConfig(
        **task.arguments(),
        max_length=None,
        padding_free=task.padding_free,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return SFTTrainer(
        model=task.model,
        args=config,
        train_dataset=_dataset(task, task.rows),
        eval_dataset=_dataset(task, task.validation) if task.validation else None,
        processing_class=task.tokenizer,
        peft_config=task.peft_config,
        callbacks=list(task.callbacks),
    )


def _dataset(task: Task, rows: list[dict[str, Any]]) -> Dataset:
    limit = task.hyperparameters.max_length
    return Dataset.from_list(
        [render_to_learn(task.tokenizer, row["messages"], limit) for row in rows]
    )
