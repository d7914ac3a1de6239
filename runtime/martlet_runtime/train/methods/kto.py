"""KTO: learns from answers that are good or bad by themselves, by TRL's KTOTrainer."""

from collections.abc import Iterator
from typing import Any

from trl import KTOConfig, KTOTrainer

from martlet_runtime.rendering import render_answer
from martlet_runtime.train.methods import pairs, reference
from martlet_runtime.train.methods.base import Method, Row
from martlet_runtime.train.task import Task

_BETA, _WEIGHT = 0.1, 1.0
_LEAST_ROWS = 2


def render(tokenizer: Any, row: Row, max_length: int) -> Iterator[Row]:
    *asked, answer = row["messages"]
    tools = row.get("tools")
    prompt, completion = render_answer(tokenizer, asked, answer["content"], max_length, tools)
    yield {"prompt_ids": prompt, "completion_ids": completion, "label": row["label"]}


class _Trainer(KTOTrainer):  # type: ignore[misc]
    """Takes rows that are rendered already."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """The KL term is taken on answers to other questions: those of the row before. TRL's own
        preparation turns within a micro-batch of neighbours."""
        answers = dataset["completion_ids"][:]
        return dataset.add_column("KL_completion_ids", [answers[-1], *answers[:-1]])


def trainer(task: Task) -> KTOTrainer:
    params = task.hyperparameters
    config = KTOConfig(
        **task.arguments(least_rows=_LEAST_ROWS),
        beta=task.setting(params.beta, _BETA),
        desirable_weight=task.setting(params.desirable_weight, _WEIGHT),
        undesirable_weight=task.setting(params.undesirable_weight, _WEIGHT),
        max_length=None,
    )
    return _Trainer(args=config, ref_model=reference.copied(task), **task.given())


def longest(max_length: int) -> Row:
    row = pairs.longest(max_length)
    return {"prompt_ids": row["prompt_ids"], "completion_ids": row["chosen_ids"], "label": True}


METHOD = Method(render, trainer, longest)
