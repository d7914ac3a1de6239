"""The benchmarks that a suite may name: EvalScope's, by a table made from its registry."""

import difflib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from martlet_api.evalrun import OWN_ROWS, PERPLEXITY, Suite
from martlet_api.judge import SuiteJudge

TABLE = "benchmarks.json"
"""Made by ``python -m martlet_runtime.evaluate.catalog``."""


@dataclass(frozen=True)
class Benchmark:
    """``hf`` and ``ms`` are the repositories of its data; ``needs`` what no scoring pod has.
    ``judge``: whether only a judge can score it, or does unless told otherwise, as EvalScope says;
    ``judge_prompt``: whether it asks the judge in its own words."""

    hf: str | None = None
    ms: str | None = None
    needs: str | None = None
    judge: Literal["only", "default"] | None = None
    judge_prompt: Literal["own"] | None = None


@cache
def known() -> dict[str, Benchmark]:
    text = files("martlet_api").joinpath(TABLE).read_text(encoding="utf-8")
    return {name: Benchmark(**fields) for name, fields in json.loads(text).items()}


def problem(suite: Suite) -> str | None:
    """Why a suite cannot be scored, and what to do; None where it can."""
    title = f"Suite {suite.name}: "
    if suite.benchmark == PERPLEXITY:
        others = sorted({limit.metric for limit in suite.thresholds} - {PERPLEXITY})
        return f"{title}{_no_metric(others[0])}" if others else None
    if suite.benchmark in OWN_ROWS:
        return None
    found = known().get(suite.benchmark)
    if found is None:
        return f"{title}{_unknown(suite.benchmark)}"
    if found.needs:
        return (
            f"{title}benchmark {suite.benchmark} needs {found.needs}, which a scoring pod has not."
        )
    if suite.dataset is None:
        return f"{title}{_without_data(suite.benchmark, found)}"
    wrong = _judge_problem(suite, found)
    return f"{title}{wrong}" if wrong else None


def _judge_problem(suite: Suite, found: Benchmark) -> str | None:
    """Why a suite cannot be judged, or not without a judge, as it says."""
    name, asked = suite.benchmark, suite.judge
    if found.judge and asked is None:
        or_by_rule = " To score it by its rules all the same, say judge: {strategy: Rule}."
        return (
            f"the answers of benchmark {name} are scored by a judge. Give the suite judge: "
            "{strategy: LLM}, and name the judge's endpoint and model in spec.judge."
            f"{or_by_rule if found.judge == 'default' else ''}"
        )
    if found.judge == "only" and not suite.is_judged:
        return f"benchmark {name} has no rules to score by; set judge.strategy to LLM."
    if found.judge_prompt and asked and _own_words(asked):
        return (
            f"benchmark {name} asks the judge in its own words; remove scoreType, promptTemplate, "
            "systemPrompt and scoreMapping from judge."
        )
    return None


def _no_metric(name: str) -> str:
    return f"benchmark {PERPLEXITY} has no metric {name}; its one metric is {PERPLEXITY}."


def _own_words(asked: SuiteJudge) -> bool:
    return bool(asked.to_dict().keys() - {"strategy"})


def _unknown(name: str) -> str:
    names = [PERPLEXITY, *OWN_ROWS, *known()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "name one of EvalScope's."
    return f"there is no benchmark {name}; {hint}"


def _without_data(name: str, found: Benchmark) -> str:
    """Nothing is fetched unasked; the way to bring it is said instead."""
    how = _bringing(name, found) or "Name the folder of its data"
    return f"the data of benchmark {name} is nowhere named. {how} in spec.suites[].dataset.uri."


def _bringing(name: str, found: Benchmark) -> str | None:
    if found.hf:
        command = f"hf download {found.hf} --repo-type dataset --local-dir {name}"
        uri = f"hf://datasets/{found.hf}"
    elif found.ms:
        command = f"modelscope download --dataset {found.ms} --local_dir {name}"
        uri = f"ms://datasets/{found.ms}"
    else:
        return None
    return f"Bring it by `{command}` and name the folder on its volume, or name {uri}"
