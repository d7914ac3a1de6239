"""One suite: a test set in EvalScope's layout, the run, and the report read back."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from martlet_api.contract import EvaluatePlan
from martlet_api.evalrun import OWN_ROWS, PRIMARY, Suite
from martlet_runtime.evaluate import judge
from martlet_runtime.evaluate.measured import Answers, Measured, stderr_of_mean
from martlet_runtime.evaluate.samples import Sample, of_review

SUBSET = "example"
_FILES = {"general_qa": f"{SUBSET}.jsonl", "general_mcq": f"{SUBSET}_val.jsonl"}
_ARGS: dict[str, dict[str, Any]] = {
    # BLEU asks for NLTK's data, which a pod does not have.
    "general_qa": {"metric_list": ["Rouge"]},
    "general_mcq": {},
}
_ROUNDED = 1e-3
"""EvalScope rounds a report's scores to four places."""

_SHORT = {"accuracy": "acc"}
"""EvalScope's documentation, and its users, say mean_acc."""

_TIMEOUT_SECONDS = 300
_ATTEMPTS, _PAUSE_SECONDS = 3, 5


def lay_out(suite: Suite, rows: list[dict[str, Any]] | None, data: Path, work: Path) -> Path:
    """The folder that EvalScope reads: one's own rows in its layout, or links to a benchmark's
    files, since it removes one that the libraries of today do not want."""
    folder = work / "data" / suite.name
    if rows is None:
        _link(data, folder)
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / _FILES[suite.benchmark]).write_text(text, encoding="utf-8")
    return folder


def _link(data: Path, folder: Path) -> None:
    root = data.resolve()
    for path in root.rglob("*"):
        target = folder / path.relative_to(root)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)


def score(
    suite: Suite, folder: Path, plan: EvaluatePlan, work: Path, *, past_errors: bool = False
) -> Path:
    """Runs EvalScope over the data in a folder; returns the folder of its output.

    ``past_errors``: rows without an answer are left out and counted. Else the first of them ends
    the run with the client's own exception, so that a dead engine is not asked row by row.
    """
    os.environ.setdefault("EVALSCOPE_CACHE", str(work / "cache"))
    from evalscope import TaskConfig, run_task

    output = work / "runs" / (f"{suite.name}-past-errors" if past_errors else suite.name)
    generation = plan.generation
    run_task(
        TaskConfig(
            model=plan.served_name,
            api_url=plan.endpoint,
            api_key="EMPTY",
            eval_type="openai_api",
            datasets=[suite.benchmark],
            dataset_args={suite.benchmark: {"dataset_id": str(folder), **_arguments(suite)}},
            limit=suite.limit,
            generation_config={
                "temperature": generation.temperature,
                "max_tokens": generation.max_tokens,
                "seed": generation.seed,
                "timeout": _TIMEOUT_SECONDS,
                "retries": _ATTEMPTS,
                "retry_interval": _PAUSE_SECONDS,
            },
            judge=judge.settings(plan, suite),
            eval_batch_size=16,
            ignore_errors=past_errors,
            work_dir=str(output),
            no_timestamp=True,
        )
    )
    return output


def _arguments(suite: Suite) -> dict[str, Any]:
    """EvalScope's ``dataset_args`` of a suite."""
    if suite.benchmark in OWN_ROWS:
        return {"subset_list": [SUBSET], **_ARGS[suite.benchmark]}
    wanted = {"subset_list": suite.subsets, "few_shot_num": suite.few_shot}
    return {name: value for name, value in wanted.items() if value is not None}


def primary(suite: Suite, measured: list[Measured]) -> str | None:
    """The metric that is always told; more only where a threshold names them."""
    known = None if suite.is_judged else PRIMARY.get(suite.benchmark)
    return known or (measured[0].metric if measured else None)


def read_report(suite: Suite, output: Path) -> Answers:
    """EvalScope's report (schema 2), with the standard errors of the rows' own scores. These get
    the names of the figures that they are the mean of: by them rows are compared."""
    metrics, asked = [], 0
    samples = [
        of_review(suite, path.stem.removeprefix(f"{suite.benchmark}_"), line)
        for path, line in _reviews(output)
    ]
    for path in sorted(output.glob("reports/*/*.json")):
        report = json.loads(path.read_text())
        asked += int((report.get("execution_summary") or {}).get("requested", 0))
        metrics += report.get("metrics", [])
    rows = _scores(samples)
    first = next((sample.error for sample in samples if sample.error), None)
    told = _figure if first is None else _judged
    figures = [found for metric in metrics if (found := told(metric, rows))]
    names = {own: figure.metric for figure, own in reversed(figures) if own}
    return Answers(
        [figure for figure, _ in figures],
        asked,
        [_named(sample, names) for sample in samples],
        (f"{suite.name}: the judge gave no score: {first}",) if first else (),
    )


def _figure(metric: dict[str, Any], rows: dict[str, list[float]]) -> tuple[Measured, str | None]:
    """A figure as it is reported, and what rows call the score that it is the mean of; without a
    standard error where it is no such mean."""
    value = float(metric["score"])
    means = (n for n in _called(metric) if n in rows and abs(fmean(rows[n]) - value) < _ROUNDED)
    own = next(means, None)
    stderr = stderr_of_mean(rows[own]) if own else None
    return Measured(name_of(metric), value, int(metric["num"]), stderr), own


def _judged(
    metric: dict[str, Any], rows: dict[str, list[float]]
) -> tuple[Measured, str | None] | None:
    """The mean over the rows that were judged: EvalScope's may have taken rules for the others."""
    own = next((name for name in _called(metric) if name in rows), None)
    if own is None or metric["identity"]["aggregation"] != "mean":
        return None
    found = rows[own]
    return Measured(name_of(metric), fmean(found), len(found), stderr_of_mean(found)), own


def _called(metric: dict[str, Any]) -> tuple[str, ...]:
    """What rows may call a figure's score."""
    name = metric["identity"]["name"]
    return name_of(metric), name, _SHORT.get(name, name)


def _named(sample: Sample, names: dict[str, str]) -> Sample:
    scores = {names.get(name, name): score for name, score in sample.scores.items()}
    return replace(sample, scores=scores)


def _scores(samples: list[Sample]) -> dict[str, list[float]]:
    """By metric."""
    found: dict[str, list[float]] = {}
    for sample in samples:
        for name, score in sample.scores.items():
            found.setdefault(name, []).append(score)
    return found


def name_of(metric: dict[str, Any]) -> str:
    """The metric's name as EvalScope's users know it: ``mean_acc``, ``Rouge-L-R``."""
    identity = metric["identity"]
    if metric.get("legacy_name"):
        return str(metric["legacy_name"])
    if identity["name"] == "rouge":
        kind = identity["dimensions"]
        variant = str(kind.get("ngram") or kind["variant"]).upper()
        return f"Rouge-{variant}-{kind['statistic'][0].upper()}"
    name = _SHORT.get(identity["name"], identity["name"])
    return f"{identity['aggregation']}_{name}"


def reviewed(output: Path) -> int:
    """How many rows got an answer that was scored."""
    return sum(1 for _ in _reviews(output))


def _reviews(output: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(output.glob("reviews/*/*.jsonl")):
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        # They lie there in the order in which they were answered.
        yield from ((path, line) for line in sorted(lines, key=_index))


def _index(line: str) -> int:
    return int(json.loads(line)["index"])
