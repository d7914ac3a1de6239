"""The rows of a run as the trainer takes them: rendered, mixed and split, on disk and not in
memory."""

import tempfile
from collections.abc import Iterator
from typing import Any

from datasets import Dataset, concatenate_datasets
from datasets.exceptions import DatasetGenerationError

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan
from martlet_runtime.data import BadRows, Render, read_rendered
from martlet_runtime.data.mixing import mixed, split
from martlet_runtime.errors import FlowError, UserError
from martlet_runtime.paths import Paths

Row = dict[str, Any]
_VALIDATION = "validation"


def read(plan: Plan, paths: Paths, render: Render) -> tuple[Dataset, Dataset | None]:
    """(training, validation) of a plan's data sets, in the order of the spec."""
    assert plan.train is not None
    bad = BadRows(plan.rows)
    inputs = [item for item in plan.inputs if item.kind == "Dataset"]
    known = {item.name: _on_disk(item, paths, bad, render) for item in inputs}
    kept = known.pop(_VALIDATION, None)
    training, held = _arranged(plan, [item for item in inputs if item.name in known], known)
    _check_enough(training, plan.train.processes)
    return training, kept or held


def _check_enough(rows: Dataset, processes: int) -> None:
    if len(rows) < processes:
        raise UserError(
            Reason.DATASET_INVALID,
            f"There are {len(rows)} rows for {processes} processes: each needs one of its own. "
            "Lower spec.parallelism.nodes, or bring more rows.",
        )


def _arranged(
    plan: Plan, inputs: list[Input], known: dict[str, Dataset]
) -> tuple[Dataset, Dataset | None]:
    assert plan.train is not None
    seed, wanted = plan.train.hyperparameters.seed, plan.train.validation
    weights = [item.weight for item in inputs if item.weight is not None]
    rows = concatenate_datasets([known[item.name] for item in inputs])
    epoch = mixed([len(known[item.name]) for item in inputs], weights or None, seed)
    training, validation = split(epoch, wanted.fraction if wanted else None, seed)
    if not weights and not validation:
        return rows, None
    return rows.select(training), rows.select(validation) if validation else None


def _on_disk(item: Input, paths: Paths, bad: BadRows, render: Render) -> Dataset:
    """Arrow files that are mapped, not read: rows need not fit into memory."""
    path = paths.inputs / item.name

    def rendered() -> Iterator[Row]:
        for _, rows in read_rendered(path, item, bad, render):
            yield from rows

    folder = tempfile.mkdtemp(prefix=f"{item.name}-", dir=paths.work)
    try:
        return Dataset.from_generator(rendered, cache_dir=folder, fingerprint=item.name)
    except DatasetGenerationError as error:
        # datasets words every failure of a generator as its own.
        if isinstance(error.__cause__, FlowError):
            raise error.__cause__ from error
        raise
