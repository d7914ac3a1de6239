"""Test sets beside what the model was trained on: what preflight must compare, and what comes of
it.

Preflight counts and the operator judges, as it judges scores: what was counted for one EvalRun
holds for every other over the same digests. Pure.
"""

from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import ContaminationPlan, Input, Termination
from martlet_api.evalrun import Contamination, EvalRunSpec, EvalRunStatus, Overlap
from martlet_api.runs import TrainingSet
from martlet_operator.batch.kind import Known, Outcome, Pass
from martlet_operator.conditions.fold import Ready
from martlet_operator.evalrun import sharing
from martlet_operator.inputs.wanted import Inputs
from martlet_operator.naming import digest_of
from martlet_operator.reconcile.snapshot import Snapshot

Object = dict[str, Any]

_COMPARED = ("Evaluation", "Text")
"""Rows that are read here; those of a benchmark's folder are EvalScope's alone to read."""
_UNWRITTEN = "an older version made it, and did not write down what it was trained on."
_UNREAD = "Preflight compared nothing."
_SHOWN = 400


def plan(
    spec: EvalRunSpec, status: EvalRunStatus, inputs: Inputs, snapshot: Snapshot
) -> ContaminationPlan | None:
    """None where there is nothing to compare, or it is known."""
    written, suites = _written(inputs), _suites(inputs)
    if not written or not suites or status.contamination:
        return None
    if _is_locked(suites) and sharing.find_contamination(_key(inputs), snapshot.peers):
        return None
    return ContaminationPlan(trained_on=written, suites=suites)


def checked(told: Termination, inputs: Inputs) -> dict[str, Any]:
    """What preflight counted."""
    if not _written(inputs) or not _suites(inputs):
        return {}
    found = told.contamination
    unknown = found.unknown if found else [_UNREAD]
    return {"contamination": _contamination(inputs, found.suites if found else [], unknown)}


def known(at: Pass) -> Known | None:
    """What another EvalRun's preflight counted of the same; and what cannot be counted."""
    if at.status.contamination or not at.inputs.model or not at.inputs.model.trained_on:
        return None
    found = sharing.find_contamination(_key(at.inputs), at.snapshot.peers)
    return Known({"contamination": found or _contamination(at.inputs, [], [])})


def refused(at: Pass) -> Outcome | None:
    """The end of a run that must not be scored, and why."""
    if at.spec.contamination != "Refuse":
        return None
    found: Contamination | None = at.status.contamination
    if found is None:
        return _ended(
            Reason.TRAINING_SET_UNKNOWN,
            "No FineTuneJob of this namespace made the model, so there is no training set to "
            "compare the test sets with. Set spec.contamination to Warn.",
        )
    if found.unknown:
        return _ended(
            Reason.TRAINING_SET_UNKNOWN,
            f"What the model was trained on cannot be compared with: {found.unknown[0]} Set a new "
            "spec.retry there, so that it is made and written down anew, then on what was made of "
            "it, and here; or set spec.contamination to Warn.",
        )
    if not any(suite.trained for suite in found.suites):
        return None
    text = f"{warning(found)} Take them out, or set spec.contamination to Warn."
    return _ended(Reason.CONTAMINATED, text)


def warning(found: Contamination | None) -> str:
    """A sentence for verdicts; empty where no row was trained on."""
    trained = [suite for suite in (found.suites if found else []) if suite.trained]
    if not trained:
        return ""
    first, others = trained[0], len(trained) - 1
    more = f", and rows of {others} more suites (status.contamination)" if others else ""
    return f"{_count(first)}{more}: their scores may be memory."


def _count(found: Overlap) -> str:
    shown, by = found.lines or [], found.by or []
    more = ", ..." if found.trained > len(shown) else ""
    noun, verb = ("line", "is") if found.trained == 1 else ("lines", "are")
    others = f" and {len(by) - 1} more" if len(by) > 1 else ""
    return (
        f"{found.trained} of {found.rows} rows of suite {found.suite} ({noun} "
        f"{', '.join(map(str, shown))}{more}) {verb} in the training set of {by[0]}{others}"
    )


def _ended(reason: Reason, text: str) -> Outcome:
    return Outcome(Ready("False", reason, text), {"progress": None})


def _contamination(inputs: Inputs, suites: list[Overlap], unknown: list[str]) -> Contamination:
    assert inputs.model is not None
    unwritten = [found.resource for found in inputs.model.trained_on if not found.uri]
    told = [*unknown, *(f"{resource}: {_UNWRITTEN}" for resource in unwritten)]
    return Contamination(
        key=_key(inputs), suites=suites, unknown=[text[:_SHOWN] for text in told] or None
    )


def _written(inputs: Inputs) -> list[TrainingSet]:
    return [found for found in (inputs.model.trained_on if inputs.model else ()) if found.uri]


def _suites(inputs: Inputs) -> list[Input]:
    return [item for item in (*inputs.locked, *inputs.unlocked) if item.rows in _COMPARED]


def _is_locked(suites: list[Input]) -> bool:
    return all(suite.digest for suite in suites)


def _key(inputs: Inputs) -> str:
    """Of the training sets and the test sets, as far as they are read."""
    trained = [[found.resource, found.digest] for found in _written(inputs)]
    tested = {
        suite.name: [suite.digest, suite.rows, suite.benchmark, suite.max_samples]
        for suite in _suites(inputs)
    }
    return f"sha256:{digest_of([trained, tested])}"
