"""The pod that lays the rows of two scorings side by side. It asks for no accelerator."""

from dataclasses import replace
from typing import Any

from martlet_api.contract import ComparePlan, Input
from martlet_api.evalrun import Measured
from martlet_api.runs import Artifact
from martlet_operator.batch.kind import Pass, Work, plan_of
from martlet_operator.batch.output import output_plan
from martlet_operator.batch.template import working_template
from martlet_operator.evalrun.desired import without_engine

Object = dict[str, Any]

STAGE = "compare"


def work(at: Pass, samples: Artifact, baseline: Artifact) -> Work:
    """Told are the metrics that the scores have: of each suite the main one, and those that
    thresholds name."""
    output = output_plan(at.resource, at.spec.output, at.inputs, at.run)
    output = output.model_copy(update={"uri": f"{output.uri}-comparison"})
    rows = [_input("samples", samples), _input("baseline", baseline)]
    inputs = replace(at.inputs, locked=rows, secrets=(), cache=None)
    compare = ComparePlan(metrics=_metrics(at.status.measured), output=output)
    plan = plan_of(at.resource, inputs, at.run, compare=compare)
    pod = working_template(
        STAGE, without_engine(at.spec.pod), plan, inputs, at.settings, output.uri
    )
    return Work(STAGE, plan, pod)


def _metrics(measured: Measured) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for score in measured.scores:
        names.setdefault(score.suite, []).append(score.metric)
    return names


def _input(name: str, artifact: Artifact) -> Input:
    return Input(name=name, kind="Folder", uri=artifact.uri, digest=artifact.digest)
