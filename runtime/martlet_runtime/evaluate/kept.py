"""The artifact of a scoring: its rows, a page of them, and the scores, for an attempt whose message
was lost."""

from pathlib import Path

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluatePlan, EvaluateResult, Plan
from martlet_api.runs import Artifact
from martlet_runtime import artifacts
from martlet_runtime.artifacts import manifest
from martlet_runtime.errors import UserError
from martlet_runtime.evaluate import page, samples
from martlet_runtime.evaluate.samples import Sample
from martlet_runtime.paths import Paths

KIND = "evaluation-samples"
SCORES = "scores.json"


def find(todo: EvaluatePlan, paths: Paths) -> EvaluateResult | None:
    """What an earlier attempt of the run finished; DigestMismatch where it is not as it was
    written, since a verdict would rest on it."""
    if todo.output is None:
        return None
    found = artifacts.find(paths, todo.output, KIND, None)
    if found is None:
        return None
    folder = paths.of_claim(found.uri)
    _check(folder, found.uri)
    return _with(EvaluateResult.model_validate_json((folder / SCORES).read_text()), found)


def _check(folder: Path, uri: str) -> None:
    known, have = manifest.read_manifest(folder), manifest.list_files(folder)
    if known and known != have:
        path, how = manifest.first_difference(known, have)
        raise UserError(
            Reason.DIGEST_MISMATCH,
            f"{path} in {uri} {how} since an attempt of this run wrote it. Set a new spec.retry: "
            "the model is then scored anew.",
        )


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
