"""One suite: a test set in EvalScope's layout, the run, and the report read back."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from martlet_api.contract import EvaluatePlan
from martlet_api.evalrun import Suite

SUBSET = "example"
_FILES = {"general_qa": f"{SUBSET}.jsonl", "general_mcq": f"{SUBSET}_val.jsonl"}
_ARGS: dict[str, dict[str, Any]] = {
    # BLEU asks for NLTK's data, which a pod does not have.
    "general_qa": {"metric_list": ["Rouge"]},
    "general_mcq": {},
}
PRIMARY = {"general_qa": "Rouge-L-R", "general_mcq": "mean_acc"}
"""The metric that is always told; others only where a threshold names them."""

_SHORT = {"accuracy": "acc"}
"""EvalScope's documentation, and its users, say mean_acc."""

_TIMEOUT_SECONDS = 300
_ATTEMPTS, _PAUSE_SECONDS = 3, 5


@dataclass(frozen=True)
class Measured:
    """A metric by EvalScope's name, over ``samples`` rows that were scored."""

    metric: str
    value: float
    samples: int


def lay_out(suite: Suite, rows: list[dict[str, Any]], work: Path) -> Path:
    """The folder that EvalScope reads the rows from."""
    folder = work / "data" / suite.name
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / _FILES[suite.benchmark]).write_text(text, encoding="utf-8")
    return folder


def score(
    suite: Suite,
    rows: list[dict[str, Any]],
    plan: EvaluatePlan,
    work: Path,
    *,
    past_errors: bool = False,
) -> Path:
    """Runs EvalScope over the rows; returns the folder of its output.

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
            dataset_args={
                suite.benchmark: {
                    "dataset_id": str(lay_out(suite, rows, work)),
                    "subset_list": [SUBSET],
                    **_ARGS[suite.benchmark],
                }
            },
            generation_config={
                "temperature": generation.temperature,
                "max_tokens": generation.max_tokens,
                "seed": generation.seed,
                "timeout": _TIMEOUT_SECONDS,
                "retries": _ATTEMPTS,
                "retry_interval": _PAUSE_SECONDS,
            },
            eval_batch_size=16,
            ignore_errors=past_errors,
            work_dir=str(output),
            no_timestamp=True,
        )
    )
    return output


def read_report(output: Path) -> Iterator[Measured]:
    """The metrics of EvalScope's report (schema 2)."""
    for path in sorted(output.glob("reports/*/*.json")):
        for metric in json.loads(path.read_text()).get("metrics", []):
            yield Measured(name_of(metric), float(metric["score"]), int(metric["num"]))


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
    return sum(
        1
        for path in output.glob("reviews/*/*.jsonl")
        for line in path.read_text().splitlines()
        if line.strip()
    )
