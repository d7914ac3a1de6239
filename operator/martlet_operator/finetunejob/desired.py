"""The plan and the pod of a training run."""

from typing import Any

from martlet_api.contract import Plan, TrainPlan
from martlet_api.finetunejob import FineTuneJobSpec
from martlet_operator.batch.kind import plan_of
from martlet_operator.batch.output import output_plan
from martlet_operator.batch.template import working_template
from martlet_operator.inputs.models import KnownModel
from martlet_operator.inputs.wanted import Inputs, WantedDataset
from martlet_operator.settings import Settings

Object = dict[str, Any]

STAGE = "train"
_GRACE_SECONDS = 120


def datasets(spec: FineTuneJobSpec) -> list[WantedDataset]:
    return [
        WantedDataset(f"dataset-{index}", source, "Training")
        for index, source in enumerate(spec.datasets)
    ]


def refusal(spec: FineTuneJobSpec, model: KnownModel | None) -> str | None:
    """An adapter over an adapter has no base that an engine could load it over."""
    if model and model.base and spec.tuner.type == "LoRA":
        return (
            f"{model.resource} makes an adapter, and a second adapter over it could not be "
            "served. Train with tuner.type Full, or name the base by spec.model.uri."
        )
    return None


def plan(resource: Object, spec: FineTuneJobSpec, inputs: Inputs, run: str) -> Plan:
    assert inputs.model is not None
    base = inputs.model.base or inputs.model
    train = TrainPlan(
        method=spec.method,
        tuner=spec.tuner,
        hyperparameters=spec.hyperparameters,
        validation=spec.validation,
        precision=spec.precision,
        checkpoint=spec.checkpoint,
        base=base.as_base(),
        output=output_plan(resource, spec.output, inputs, run),
    )
    return plan_of(resource, inputs, run, train=train)


def template(spec: FineTuneJobSpec, plan: Plan, inputs: Inputs, settings: Settings) -> Object:
    return working_template(
        STAGE, spec.pod, plan, inputs, settings, spec.output.uri, grace_seconds=_GRACE_SECONDS
    )
