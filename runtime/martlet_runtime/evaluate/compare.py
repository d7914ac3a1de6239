"""Compare: a model's rows beside its baseline's, those that got worse first."""

import json
from dataclasses import asdict
from pathlib import Path

from martlet_api.conditions import Reason
from martlet_api.contract import ComparePlan, CompareResult, Plan, Termination
from martlet_api.evalrun import Pairing
from martlet_runtime import artifacts
from martlet_runtime.evaluate import page, pairing, samples
from martlet_runtime.evaluate.pairing import Changed
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report

KIND = "evaluation-comparison"
CHANGED = "changed.jsonl"
_DIGITS = 5
"""Of a covariance, that are told."""


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Pairs the rows of two artifacts that were asked the same."""
    assert plan.compare is not None
    both = (samples.read(paths.inputs / name / samples.FILE) for name in ("samples", "baseline"))
    pairs = pairing.pairs_of(*both)
    rows = pairing.changed(pairs)
    written = artifacts.write(
        paths, plan.compare.output, KIND, None, lambda folder: _write(folder, plan, rows)
    )
    found = [_short(item) for item in pairing.pairings(pairs) if _is_told(item, plan.compare)]
    return Termination(
        flow="compare",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"{len(pairs)} rows compared, {len(rows)} changed.",
        compare=CompareResult(pairings=found, artifact=written),
    )


def _write(folder: Path, plan: Plan, rows: list[Changed]) -> None:
    with (folder / CHANGED).open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(asdict(row), ensure_ascii=False, sort_keys=True) + "\n")
    title = f"{plan.namespace}/{plan.name}, run {plan.run}: rows that changed, the worse first"
    page.of_changes(folder / page.FILE, title, rows)


def _is_told(item: Pairing, plan: ComparePlan) -> bool:
    return item.metric in plan.metrics.get(item.suite, ())


def _short(item: Pairing) -> Pairing:
    return item.model_copy(update={"covariance": float(f"{item.covariance:.{_DIGITS}g}")})
