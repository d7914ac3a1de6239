"""More scores than a pod can tell are refused before anything is scored."""

from __future__ import annotations

import random
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_builders import decide, ready, resource, spec_of

from martlet_api.conditions import Reason
from martlet_api.contract import CompareResult, EvaluateResult, Termination
from martlet_api.evalrun import MOST_SUITES, MOST_THRESHOLDS, EvalRunSpec, Pairing, Score
from martlet_api.runs import Artifact
from martlet_api.termination import decode, encode
from martlet_operator.evalrun import room

Object = dict[str, Any]

REPORTED = [
    "mean_acc",
    *(f"Rouge-{kind}-{part}" for kind in "12L" for part in "RPF"),
    *(f"mean_{level}_level_{way}" for level in ("prompt", "inst") for way in ("strict", "loose")),
    "mean_f1",
    "mean_em",
]
"""As many names as a suite may have thresholds, as EvalScope gives them."""


def drawn(length: int, seed: int) -> str:
    letters = string.ascii_lowercase + string.digits
    return "".join(random.Random(seed).choices(letters, k=length))


JUDGE = {"endpoint": "https://api.example.com/v1", "model": drawn(100, 7)}


def fields(
    suites: list[str], metrics: list[str], *, compared: bool = False, judged: bool = False
) -> Object:
    wanted = [
        {
            "name": name,
            "benchmark": "general_qa",
            "dataset": {"uri": "pvc://d/t.jsonl"},
            "thresholds": [{"metric": metric, "min": 0} for metric in metrics],
            **({"judge": {}} if judged else {}),
        }
        for name in suites
    ]
    beside = {"baseline": {"uri": "pvc://d/base"}, "output": {"uri": "pvc://scores/team"}}
    more = {**(beside if compared else {}), **({"judge": JUDGE} if judged else {})}
    return spec_of("EvalRun", suites=wanted, **more)


ORDINARY = [f"suite-{number}-support" for number in range(MOST_SUITES)]
LONGEST = [drawn(63, number) for number in range(MOST_SUITES)]


@pytest.mark.parametrize(
    ("suites", "metrics", "compared", "fits"),
    [
        (ORDINARY[:1], REPORTED[:1], False, True),
        (ORDINARY, REPORTED, False, True),
        (ORDINARY, REPORTED, True, True),
        (LONGEST, REPORTED[:8], True, True),
        (LONGEST, REPORTED, False, False),
        (LONGEST[:8], REPORTED, True, True),
        (ORDINARY, [drawn(64, n) for n in range(MOST_THRESHOLDS)], False, False),
    ],
)
def test_what_fits(suites: list[str], metrics: list[str], compared: bool, fits: bool) -> None:
    assert len(REPORTED) == MOST_THRESHOLDS
    spec = EvalRunSpec.model_validate(fields(suites, metrics, compared=compared))
    assert (room.problem(spec) is None) is fits


def test_what_does_not_fit_is_refused_without_a_pod() -> None:
    decision = decide(resource("EvalRun", **fields(LONGEST, REPORTED)))
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "InvalidSpec")
    assert "256 scores of 16 suites are more than a pod can tell. Name fewer metrics" in message
    assert decision.desired == []


FIGURES = st.builds(random.Random, st.integers(0, 2**32))


@settings(max_examples=40, deadline=None)
@given(
    FIGURES,
    st.integers(1, MOST_SUITES),
    st.integers(0, MOST_THRESHOLDS),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_found_of_a_spec_that_is_taken_can_be_told(
    rng: random.Random, suites: int, metrics: int, compared: bool, judged: bool
) -> None:
    named = rng.sample(ORDINARY, suites // 2) + rng.sample(LONGEST, suites - suites // 2)
    metrics_of = rng.sample(REPORTED, metrics)
    wanted = fields(named, metrics_of, compared=compared, judged=judged)
    spec = EvalRunSpec.model_validate(wanted)
    if room.problem(spec):
        return
    for part in (evaluated(rng, spec), *([laid_side_by_side(rng, spec)] if compared else [])):
        flow = next(iter(part))
        ended = Termination(
            flow=flow, succeeded=True, reason=Reason.SUCCEEDED, message="Told.", **part
        )
        assert decode(encode(ended)) == ended


def evaluated(rng: random.Random, spec: EvalRunSpec) -> Object:
    scores = []
    lost = rng.randrange(2)
    for suite, metric, rows in told(rng, spec):
        figures = {"value": rounded(rng, 5), "stderr": rounded(rng, 4)}
        counts = {"samples": rows, "incomplete": lost * (rows // 2)}
        detail = f"judged by {spec.judge.model}" if spec.judge else None
        scores.append(Score(suite=suite, metric=metric, detail=detail, **figures, **counts))
    found = EvaluateResult(
        scores=scores,
        incomplete=lost * rng.randrange(100_000),
        unjudged=lost * rng.randrange(100_000) if spec.judge else 0,
        artifact=made(rng) if spec.output else None,
    )
    return {"evaluate": found}


def laid_side_by_side(rng: random.Random, spec: EvalRunSpec) -> Object:
    pairings = []
    for suite, metric, rows in told(rng, spec):
        counts = {"rows": rows, "worse": rng.randint(0, rows), "better": rng.randint(0, rows)}
        pairings.append(
            Pairing(suite=suite, metric=metric, **counts, covariance=rounded(rng, 5, 1e-5))
        )
    return {"compare": CompareResult(pairings=pairings, artifact=made(rng))}


def told(rng: random.Random, spec: EvalRunSpec) -> list[tuple[str, str, int]]:
    """(suite, metric, rows) of all scores."""
    return [
        (suite.name, metric, rows)
        for suite in spec.suites
        for rows in [rng.randint(1, 99_999)]
        for metric in sorted({"Rouge-L-R", *(limit.metric for limit in suite.thresholds)})
    ]


def made(rng: random.Random) -> Artifact:
    return Artifact(
        uri=f"pvc://scores/team/{drawn(63, rng.randrange(99))}/0a1b2c3d-comparison",
        digest=f"sha256:{rng.getrandbits(256):064x}",
        format="evaluation-comparison",
        bytes=rng.getrandbits(30),
    )


def rounded(rng: random.Random, digits: int, unit: float = 1) -> float:
    return float(f"{rng.random() * unit:.{digits}g}")
