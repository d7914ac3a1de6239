"""Compares test sets with what a model was trained on: how many of their rows ask what was asked in
training. What that means for a verdict is for the operator to say."""

from collections.abc import Iterable
from pathlib import Path

from martlet_api.contract import ContaminationPlan, ContaminationResult, Input
from martlet_api.evalrun import MOST_LINES, Overlap
from martlet_api.runs import TrainingSet
from martlet_runtime import data
from martlet_runtime.cache import Store
from martlet_runtime.data import asked
from martlet_runtime.data.digests import Known
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths
from martlet_runtime.sources import lay_out

_SUITE = "suite-"
_SHOWN = 300


def compare(
    plan: ContaminationPlan, paths: Paths, folder: Path, store: Store | None
) -> ContaminationResult:
    """``folder`` has the suites that were locked just now, each under its name. A training set that
    cannot be read is told as unknown."""
    known: dict[str, Known] = {}
    unknown = []
    for number, wanted in enumerate(plan.trained_on):
        try:
            known[wanted.resource] = _digests(wanted, number, paths, folder, store)
        except UserError as error:
            unknown.append(f"{wanted.resource}: {error.message[:_SHOWN]}")
    suites = [_overlap(suite, known, paths, folder, store) for suite in plan.suites]
    return ContaminationResult(suites=suites, unknown=unknown)


def _digests(
    wanted: TrainingSet, number: int, paths: Paths, folder: Path, store: Store | None
) -> Known:
    assert wanted.uri is not None
    name = f"trained-on-{number}"
    file = Input(name=name, kind="Dataset", uri=wanted.uri, digest=wanted.digest)
    lay_out(file, paths, store, folder / name)
    return Known(folder / name)


def _overlap(
    suite: Input, known: dict[str, Known], paths: Paths, folder: Path, store: Store | None
) -> Overlap:
    path = folder / suite.name
    if not path.exists():
        lay_out(suite, paths, store, path)
    name = suite.name.removeprefix(_SUITE)
    if suite.rows == "Text":
        return _of_text(name, data.read_text(path, suite.uri), known)
    assert suite.benchmark is not None
    rows = data.read_numbered(path, suite.uri, suite.benchmark, suite.max_samples)
    return _told(name, ((line, _found(asked.in_test(row), known)) for line, row in rows))


def _of_text(name: str, text: str, known: dict[str, Known]) -> Overlap:
    """Of its lines that are not blank: those of passages that were rows of training."""
    lines = {number: set[str]() for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    for first, count, passage in asked.passages(text):
        found = _found(passage, known)
        for number in range(first, first + count) if found else ():
            lines.get(number, set()).update(found)
    return _told(name, lines.items())


def _found(text: str, known: dict[str, Known]) -> set[str]:
    """Whose training sets have it."""
    digest = asked.digest(text)
    return {resource for resource, digests in known.items() if digest in digests}


def _told(suite: str, rows: Iterable[tuple[int, set[str]]]) -> Overlap:
    count, trained, by, lines = 0, 0, set[str](), list[int]()
    for line, found in rows:
        count += 1
        if found:
            trained += 1
            by |= found
            lines += [line] if len(lines) < MOST_LINES else []
    return Overlap(
        suite=suite, rows=count, trained=trained, lines=lines or None, by=sorted(by) or None
    )
