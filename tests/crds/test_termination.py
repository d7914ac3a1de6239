"""What a pod says at its end: always short enough, and never without a figure."""

from __future__ import annotations

import base64
import json
import random
import string
import subprocess
import sys
import zlib
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from martlet_api.conditions import Reason
from martlet_api.contract import (
    CompareResult,
    EvaluateResult,
    QuantizeResult,
    Termination,
    termination_limit,
)
from martlet_api.evalrun import MOST_SCORES, Pairing, Score
from martlet_api.quantizedmodel import RungResult
from martlet_api.runs import Artifact, ResolvedInput
from martlet_api.termination import MARK, TooLong, decode, encode

LONG = st.builds(lambda text, times: text * times, st.text(max_size=40), st.integers(1, 500))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
COUNTS = st.integers(0, 10**9)
NAMES = st.text(string.ascii_lowercase + "-", min_size=1, max_size=20)
SCORES = st.builds(
    Score,
    suite=NAMES,
    metric=NAMES,
    value=NUMBERS,
    stderr=st.none() | NUMBERS,
    detail=st.none() | st.text(max_size=30),
    samples=COUNTS,
    incomplete=COUNTS,
)
PAIRINGS = st.builds(
    Pairing,
    suite=NAMES,
    metric=NAMES,
    rows=COUNTS,
    worse=COUNTS,
    better=COUNTS,
    covariance=NUMBERS,
)
RUNGS = st.builds(
    RungResult,
    method=st.sampled_from(["AWQ", "W8A8"]),
    bits=st.none() | st.just(4),
    passed=st.booleans(),
    perplexity=st.none() | NUMBERS,
    message=st.none() | st.text(max_size=1024),
)
MADE = Artifact(
    uri="pvc://" + "m" * 500, digest=f"sha256:{'0' * 64}", format="safetensors", bytes=10**12
)


def told(message: str = "Done.", flow: str = "evaluate", **parts: Any) -> Termination:
    return Termination(
        flow=flow, succeeded=False, reason=Reason.INCONCLUSIVE, message=message, **parts
    )


def figures(found: Termination) -> Termination:
    """Without what only people read."""
    update: dict[str, Any] = {"message": ""}
    if found.evaluate:
        update["evaluate"] = found.evaluate.model_copy(update={"errors": []})
    if found.quantize:
        rungs = [rung.model_copy(update={"message": None}) for rung in found.quantize.rungs]
        less = {"rungs": rungs, "ladder_reason": None}
        update["quantize"] = found.quantize.model_copy(update=less)
    return found.model_copy(update=update)


@settings(deadline=None)
@given(
    LONG,
    st.lists(SCORES, max_size=40),
    st.lists(LONG, max_size=20),
    st.lists(PAIRINGS, max_size=20),
    st.lists(RUNGS, max_size=8),
)
def test_it_is_kept_whole_with_every_figure(
    message: str,
    scores: list[Score],
    errors: list[str],
    pairings: list[Pairing],
    rungs: list[RungResult],
) -> None:
    ended = told(
        message,
        evaluate=EvaluateResult(scores=scores, errors=errors),
        compare=CompareResult(pairings=pairings, artifact=MADE),
        quantize=QuantizeResult(rungs=rungs, baseline_perplexity=5.0, source_bytes=1),
    )
    try:
        text = encode(ended)
    except TooLong:
        reject()
    assert len(text.encode()) <= termination_limit("evaluate")
    found = decode(text)
    assert found is not None
    assert figures(found) == figures(ended)


@settings(deadline=None)
@given(st.text(max_size=200), st.lists(SCORES, max_size=25), st.lists(RUNGS, max_size=2))
def test_what_has_room_is_read_back_as_it_was(
    message: str, scores: list[Score], rungs: list[RungResult]
) -> None:
    short = [rung.model_copy(update={"message": "not tried"}) for rung in rungs]
    ended = told(
        message,
        evaluate=EvaluateResult(scores=scores),
        quantize=QuantizeResult(rungs=short, baseline_perplexity=5.0, source_bytes=1),
    )
    assert decode(encode(ended)) == ended


def test_where_there_is_room_people_can_read_it() -> None:
    text = encode(told("Müller's rows are gone."))
    assert json.loads(text)["message"] == "Müller's rows are gone."


def drawn(count: int, digits: int = 5) -> list[Score]:
    rng = random.Random(3)
    return [
        Score(
            suite=f"suite-{number // 17}-support",
            metric=f"mean_metric_{number % 17}",
            value=float(f"{rng.random():.{digits}g}"),
            stderr=float(f"{rng.random():.4g}"),
            samples=1000 + number // 17,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [25, 100, MOST_SCORES])
def test_as_many_scores_as_a_spec_can_ask_for(count: int) -> None:
    ended = told("m" * 5000, evaluate=EvaluateResult(scores=drawn(count), errors=["why"] * 50))
    text = encode(ended)
    assert len(text) <= termination_limit("evaluate")
    found = decode(text)
    assert found is not None
    assert found.evaluate is not None
    assert found.evaluate.scores == drawn(count)


def test_figures_that_have_no_room_are_an_error_and_not_left_out() -> None:
    with pytest.raises(TooLong, match="and the kubelet keeps 3072 of it") as caught:
        encode(told(evaluate=EvaluateResult(scores=drawn(2 * MOST_SCORES, digits=16))))
    assert caught.value.size > caught.value.limit == termination_limit("evaluate")


def test_texts_go_in_their_order_and_only_as_far_as_they_must() -> None:
    def kept(scores: int, errors: list[str], message: str) -> tuple[int, int]:
        """Of the errors how many, of the message how much."""
        result = EvaluateResult(scores=drawn(scores), errors=errors)
        found = decode(encode(told(message, evaluate=result)))
        assert found is not None
        assert found.evaluate is not None
        return len(found.evaluate.errors), len(found.message)

    rng = random.Random(4)
    text = ["".join(rng.choices(string.ascii_letters, k=300)) for _ in range(20)]
    message = "".join(rng.choices(string.ascii_letters, k=5000))
    assert kept(1, [], message) == (0, 2000)
    assert kept(30, text[:4], message[:300]) == (4, 300)
    assert kept(30, text, message) == (3, 1200)
    assert kept(200, text, message) == (0, 120)


def test_a_full_ladder_fits_with_all_its_figures() -> None:
    """Eight rungs, the names as long as a claim's and a folder's may be."""
    rung = RungResult(
        method="AutoRound", bits=4, group_size=128, passed=False, perplexity=12345.6789,
        increase_percent=123.456, bytes=10**12, seconds=12345.6, tokens_per_second=12345.6,
    )  # fmt: skip
    rng = random.Random(5)
    rungs = [
        rung.model_copy(update={"message": "".join(rng.choices(string.ascii_letters, k=1024))})
        for _ in range(8)
    ]
    result = QuantizeResult(
        rungs=rungs, baseline_perplexity=12345.6789, baseline_tokens_per_second=12345.6,
        source_bytes=10**12, ladder_reason="y" * 1024, calibration_rows=65536, merged=MADE,
        artifact=MADE,
    )  # fmt: skip
    ended = told("m" * 4096, "quantize", quantize=result)
    text = encode(ended)
    assert len(text) <= termination_limit("quantize")
    found = decode(text)
    assert found is not None
    assert found.quantize is not None
    assert figures(found) == figures(ended)
    assert [rung.message[:100] for rung in found.quantize.rungs if rung.message] == [
        rung.message[:100] for rung in rungs if rung.message
    ]


def test_eighteen_inputs_of_hubs_fit() -> None:
    """16 data sets, a model and a teacher; digests do not compress."""
    rng = random.Random(6)
    found = [
        ResolvedInput(
            name=f"dataset-{number}",
            uri=f"hf://datasets/some-organization/some-data-set-{number}/data/train.jsonl",
            revision="main",
            commit=f"{rng.getrandbits(160):040x}",
            digest=f"sha256:{rng.getrandbits(256):064x}",
            files=1,
            bytes=rng.getrandbits(40),
            rows=rng.getrandbits(20),
        )
        for number in range(18)
    ]
    ended = told("Locked all.", "preflight", resolved=found)
    assert decode(encode(ended)) == ended


def packed(value: Any) -> str:
    return MARK + base64.b85encode(zlib.compress(json.dumps(value).encode())).decode()


DONE = told().model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        MARK,
        f"{MARK}not base85 \x00",
        MARK + base64.b85encode(b"not zlib").decode(),
        packed([1, 2]),
        packed({**DONE, "evaluate": {"scores": {"*": {"suite": ["a"], "metric": []}}}}),
        packed({**DONE, "evaluate": {"scores": {"*": 3}}}),
        packed({**DONE, "padding": "x" * (1 << 21)}),
        packed(DONE)[:-5],
        '{"flow": "evaluate", "value": NaN',
    ],
)
def test_what_is_not_ours_or_was_cut_off_says_nothing(text: str) -> None:
    assert decode(text) is None


@settings(deadline=None)
@given(st.text() | st.text().map(MARK.__add__))
def test_no_text_is_an_error(text: str) -> None:
    decode(text)


def test_a_short_form_can_be_read_by_hand() -> None:
    assert decode(packed(DONE)) == told()
    command = [sys.executable, "-m", "martlet_api.termination"]
    done = subprocess.run(command, input=packed(DONE), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == DONE
    assert subprocess.run(command, input="else", capture_output=True, text=True).returncode == 1
