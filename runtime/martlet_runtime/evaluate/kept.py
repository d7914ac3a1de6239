"""The artifact of a scoring: its rows, a page of them, and the scores, for an attempt whose message
was lost."""

from pathlib import Path

from martlet_api.contract import EvaluatePlan, EvaluateResult, Plan
from martlet_api.runs import Artifact
from martlet_runtime import artifacts
from martlet_runtime.evaluate import page, samples
from martlet_runtime.evaluate.samples import Sample
from martlet_runtime.paths import Paths

KIND = "evaluation-samples"
SCORES = "scores.json"


def find(todo: EvaluatePlan, paths: Paths) -> EvaluateResult | None:
    """What an earlier attempt of the run finished."""
    if todo.output is None:
        return None
    found = artifacts.find(paths, todo.output, KIND, None)
    if found is None:
        return None
    text = (paths.of_claim(found.uri) / SCORES).read_text()
    return _with(EvaluateResult.model_validate_json(text), found)


def write(
    plan: Plan, todo: EvaluatePlan, paths: Paths, result: EvaluateResult, rows: list[Sample]
) -> EvaluateResult:
    """The result with its artifact; without one where the spec names no output."""
    if todo.output is None:
        return result

    def build(folder: Path) -> None:
        samples.write(folder / samples.FILE, rows)
        title = f"{plan.namespace}/{plan.name}, run {plan.run}: {todo.subject.lower()}"
        page.of_samples(folder / page.FILE, title, rows)
        (folder / SCORES).write_text(result.model_dump_json(by_alias=True, exclude_none=True))

    return _with(result, artifacts.write(paths, todo.output, KIND, None, build))


def _with(result: EvaluateResult, artifact: Artifact) -> EvaluateResult:
    return result.model_copy(update={"artifact": artifact})
