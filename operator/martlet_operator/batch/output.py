"""Where a run's artifact goes, and the record that is kept with it."""

from collections.abc import Sequence
from typing import Any

from martlet_api import labels
from martlet_api.contract import OutputPlan
from martlet_api.references import Output
from martlet_api.runs import Artifact, ModelArtifact, TrainingSet
from martlet_operator.inputs.wanted import Inputs

Object = dict[str, Any]


def output_plan(resource: Object, output: Output, inputs: Inputs, run: str) -> OutputPlan:
    """Where the artifact goes, and what is written beside its weights."""
    metadata = resource["metadata"]
    record = {
        "owner": metadata.get("labels", {}).get(labels.OWNER, ""),
        "kind": resource["kind"],
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "run": run,
    }
    return OutputPlan(
        uri=output_uri(metadata["name"], output, run),
        record={key: value for key, value in record.items() if value},
        made_from=inputs.made_from,
    )


def model_artifact(made: Artifact, run: str, trained_on: Sequence[TrainingSet]) -> ModelArtifact:
    """What a pod made, with what only the operator knows of it."""
    fields = made.model_dump(exclude={"run"})
    return ModelArtifact(**fields, run=run, trained_on=list(trained_on))


def output_uri(name: str, output: Output, run: str) -> str:
    """``OUTPUT/NAME/RUN``: a run has a folder of its own, so a finished one is never touched."""
    return f"{output.uri.rstrip('/')}/{name}/{run}"
