"""The plan and the pod of a training run."""

import re
from typing import Any

from martlet_api.contract import Plan, RowsPlan, TrainPlan, preflight_uri
from martlet_api.finetunejob import FineTuneJobSpec, FineTuneJobStatus
from martlet_api.training import ROWS_OF
from martlet_operator.batch.kind import plan_of
from martlet_operator.batch.output import output_plan, output_uri
from martlet_operator.batch.template import working_template
from martlet_operator.finetunejob import memory
from martlet_operator.inputs.models import KnownModel
from martlet_operator.inputs.wanted import Inputs, Wanted, WantedDataset, WantedModel
from martlet_operator.settings import Settings

Object = dict[str, Any]

STAGE = "train"
_GRACE_SECONDS = 120
_BAD_ROWS = 100
"""That may be left out where the spec names no limit."""


def inputs(spec: FineTuneJobSpec) -> list[Wanted]:
    """The data sets, the validation's own, and the teacher."""
    rows, columns = ROWS_OF[spec.method], tuple(_columns(spec))
    out: list[Wanted] = [
        WantedDataset(
            f"dataset-{index}",
            source,
            rows,
            columns=columns,
            format=None if source.format == "Auto" else source.format,
            weight=source.weight,
        )
        for index, source in enumerate(spec.datasets)
    ]
    if spec.validation and spec.validation.dataset:
        out.append(WantedDataset("validation", spec.validation.dataset, rows, columns=columns))
    if spec.teacher:
        out.append(WantedModel("teacher", spec.teacher))
    return out


def _columns(spec: FineTuneJobSpec) -> list[str]:
    """What the rewards compare answers with."""
    needed = [reward.needed_column for reward in spec.rewards or []]
    return sorted({column for column in needed if column})


def rows(resource: Object, spec: FineTuneJobSpec, run: str) -> RowsPlan:
    """What preflight does with the rows; what it writes lies beside the run's artifact."""
    return RowsPlan(
        on_bad_rows=spec.on_bad_rows,
        limit=spec.bad_rows_limit or _BAD_ROWS,
        audit_fraction=spec.audit.fraction,
        seed=spec.hyperparameters.seed,
        uri=preflight_uri(output_uri(resource["metadata"]["name"], spec.output, run)),
    )


def refusal(spec: FineTuneJobSpec, model: KnownModel | None) -> str | None:
    """What the schema cannot say of a spec."""
    return _no_base(spec, model) or _no_pattern(spec)


def _no_base(spec: FineTuneJobSpec, model: KnownModel | None) -> str | None:
    """An adapter over an adapter has no base that an engine could load it over."""
    if model and model.is_adapter and spec.tuner.type != "Full" and not spec.tuner.merge:
        return (
            f"{model.resource} makes an adapter, and a second adapter over it could not be "
            "served. Set tuner.merge to true, or train with tuner.type Full, or name the base by "
            "spec.model.uri."
        )
    return None


def _no_pattern(spec: FineTuneJobSpec) -> str | None:
    for index, reward in enumerate(spec.rewards or []):
        try:
            re.compile(reward.pattern or "")
        except re.error as error:
            return f"spec.rewards[{index}].pattern is no regular expression: {error}. Correct it."
    return None


def plan(
    resource: Object, spec: FineTuneJobSpec, status: FineTuneJobStatus, inputs: Inputs, run: str
) -> Plan:
    assert inputs.model is not None
    base = inputs.model.base or inputs.model
    train = TrainPlan(
        method=spec.method,
        rewards=spec.rewards or [],
        tuner=spec.tuner,
        hyperparameters=memory.settled(spec, status.estimate),
        validation=spec.validation,
        precision=spec.precision,
        nodes=spec.parallelism.nodes,
        strategy=memory.strategy(spec, status.estimate),
        processes_per_node=spec.pod.accelerators_per_pod or 1,
        checkpoint=spec.checkpoint,
        base=base.as_base(),
        output=output_plan(resource, spec.output, inputs, run),
    )
    return plan_of(resource, inputs, run, rows=rows(resource, spec, run), train=train)


def template(spec: FineTuneJobSpec, plan: Plan, inputs: Inputs, settings: Settings) -> Object:
    return working_template(
        STAGE, spec.pod, plan, inputs, settings, spec.output.uri, grace_seconds=_GRACE_SECONDS
    )
