"""The plan and the pod of a quantization run."""

from typing import Any

from martlet_api.contract import Plan, QuantizePlan
from martlet_api.quantizedmodel import QuantizedModelSpec
from martlet_operator.batch.kind import Pass, Work, plan_of
from martlet_operator.batch.output import output_plan
from martlet_operator.batch.template import working_template
from martlet_operator.inputs.models import KnownModel
from martlet_operator.inputs.wanted import Inputs, Wanted, WantedDataset
from martlet_operator.quantizedmodel import verifying

Object = dict[str, Any]

STAGE = "quantize"


def inputs(spec: QuantizedModelSpec) -> list[Wanted]:
    calibration = spec.calibration
    return [
        WantedDataset(
            "calibration", calibration.dataset, "Conversation", max_samples=calibration.samples
        ),
        WantedDataset("perplexity", spec.gate.perplexity.dataset, "Text"),
    ]


def refusal(spec: QuantizedModelSpec, model: KnownModel | None) -> str | None:
    """Adapters are merged first, so whatever a FineTuneJob makes can be compressed; but an engine
    must be there that can answer, and know its arguments."""
    return verifying.refusal(spec)


def work(at: Pass) -> Work:
    told = plan(at.resource, at.spec, at.inputs, at.run)
    pod = working_template(STAGE, at.spec.pod, told, at.inputs, at.settings, at.spec.output.uri)
    return Work(STAGE, told, pod)


def plan(resource: Object, spec: QuantizedModelSpec, inputs: Inputs, run: str) -> Plan:
    quantize = QuantizePlan(
        engine=spec.engine,
        on_accelerator=spec.pod.accelerator is not None,
        workload=spec.workload,
        ladder=spec.ladder,
        calibration_max_length=spec.calibration.max_length,
        max_increase_percent=spec.gate.perplexity.max_increase_percent,
        output=output_plan(resource, spec.output, inputs, run),
    )
    return plan_of(resource, inputs, run, quantize=quantize)
