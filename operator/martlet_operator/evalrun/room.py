"""Whether what a scoring run finds fits into what the kubelet keeps of a pod's result. Pure.

The longest results that a spec can have are made up, every figure with as many digits as pods tell,
and encoded as a pod would: what does not fit is refused before anything is scored.
"""

import random
import string

from martlet_api.conditions import Reason
from martlet_api.contract import CompareResult, EvaluateResult, Termination, termination_limit
from martlet_api.evalrun import PRIMARY, EvalRunSpec, Pairing, Score, Suite
from martlet_api.references import Output
from martlet_api.runs import Artifact
from martlet_api.termination import MARK, TooLong, encode

_MOST_ROWS = 99_999
"""Of a suite that names no limit."""
_SHARE = 0.98
_LONGEST_NAME = 63
_OTHER_METRIC = 24
"""Characters of the metric that a benchmark tells though no threshold names it."""
_DIGITS = string.digits + string.ascii_lowercase


def problem(spec: EvalRunSpec) -> str | None:
    """Why a run's figures could not be told, and what to do; None where they can."""
    results = [_scored(spec), *([_compared(spec)] if spec.baseline and spec.output else [])]
    if all(map(_fits, results)):
        return None
    assert results[0].evaluate is not None
    count = len(results[0].evaluate.scores)
    return (
        f"{count} scores of {len(spec.suites)} suites are more than a pod can tell. Name fewer "
        "metrics in thresholds, give suites shorter names, or split them among several EvalRuns."
    )


def _fits(result: Termination) -> bool:
    """Real figures may compress a little worse."""
    try:
        text = encode(result)
    except TooLong:
        return False
    return not text.startswith(MARK) or len(text) <= _SHARE * termination_limit(result.flow)


def _scored(spec: EvalRunSpec) -> Termination:
    drawn = random.Random(1)  # noqa: S311 - figures that do not compress
    scores = [
        Score(
            suite=suite.name,
            metric=metric,
            value=_number(drawn, 5),
            stderr=_number(drawn, 4),
            detail=_judged_by(suite, spec),
            samples=rows,
            incomplete=rows // 7,
        )
        for suite, rows in _suites(spec, drawn)
        for metric in _metrics(suite, drawn)
    ]
    found = EvaluateResult(
        scores=scores,
        incomplete=2 * _MOST_ROWS,
        unjudged=_MOST_ROWS,
        artifact=_artifact(spec.output, drawn),
    )
    text = f"{2 * _MOST_ROWS} samples of the baseline got no answer, so there is no verdict. " * 2
    return Termination(
        flow="evaluate",
        succeeded=False,
        reason=Reason.INCONCLUSIVE,
        message=text,
        evaluate=found,
    )


def _compared(spec: EvalRunSpec) -> Termination:
    drawn = random.Random(2)  # noqa: S311
    pairings = [
        Pairing(
            suite=suite.name,
            metric=metric,
            rows=rows,
            worse=drawn.randint(0, rows),
            better=drawn.randint(0, rows),
            covariance=_number(drawn, 5, 1e-5),
        )
        for suite, rows in _suites(spec, drawn)
        for metric in _metrics(suite, drawn)
    ]
    artifact = _artifact(spec.output, drawn)
    assert artifact is not None
    found = CompareResult(pairings=pairings, artifact=artifact)
    return Termination(
        flow="compare",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message=f"{_MOST_ROWS} rows compared, {_MOST_ROWS} changed.",
        compare=found,
    )


def _suites(spec: EvalRunSpec, drawn: random.Random) -> list[tuple[Suite, int]]:
    return [(suite, drawn.randint(10_000, _MOST_ROWS)) for suite in spec.suites]


def _metrics(suite: Suite, drawn: random.Random) -> list[str]:
    """Those that thresholds name, and one that the benchmark tells besides."""
    known = None if suite.is_judged else PRIMARY.get(suite.benchmark)
    other = known or "".join(drawn.choices(_DIGITS, k=_OTHER_METRIC))
    return sorted({other, *(limit.metric for limit in suite.thresholds)})


def _judged_by(suite: Suite, spec: EvalRunSpec) -> str | None:
    return f"judged by {spec.judge.model}" if suite.is_judged and spec.judge else None


def _number(drawn: random.Random, digits: int, unit: float = 1) -> float:
    return float(f"{drawn.uniform(0.1, 1) * unit:.{digits}g}")


def _artifact(output: Output | None, drawn: random.Random) -> Artifact | None:
    if output is None:
        return None
    name = "".join(drawn.choices(_DIGITS, k=_LONGEST_NAME))
    return Artifact(
        uri=f"{output.uri}/{name}/{drawn.getrandbits(32):08x}-comparison",
        digest=f"sha256:{drawn.getrandbits(256):064x}",
        format="evaluation-comparison",
        bytes=10**12,
    )
