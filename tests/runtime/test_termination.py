"""The termination message always fits."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_api.conditions import Reason
from martlet_api.contract import (
    TERMINATION_LIMIT,
    EvaluateResult,
    QuantizeResult,
    Termination,
)
from martlet_api.quantizedmodel import RungResult
from martlet_api.runs import Artifact
from martlet_runtime.termination import encode

LONG = st.builds(lambda text, times: text * times, st.text(max_size=40), st.integers(1, 500))


@settings(max_examples=150, deadline=None)
@given(LONG, st.lists(LONG, max_size=20))
def test_valid_json_that_the_kubelet_keeps_whole(message, errors):
    result = EvaluateResult(scores=[], errors=errors)
    ended = Termination(
        flow="evaluate",
        succeeded=False,
        reason=Reason.INTERNAL_ERROR,
        message=message,
        evaluate=result,
    )
    text = encode(ended)
    assert len(text.encode()) <= TERMINATION_LIMIT
    assert json.loads(text)["reason"] == "InternalError"


def test_a_full_ladder_fits_with_all_its_figures():
    """Eight rungs, the names as long as a claim's and a folder's may be."""
    made = Artifact(
        uri="pvc://" + "m" * 500, digest=f"sha256:{'0' * 64}", format="safetensors", bytes=10**12
    )
    rungs = [
        RungResult(
            method="AutoRound", bits=4, group_size=128, passed=False, perplexity=12345.6789,
            increase_percent=123.456, bytes=10**12, seconds=12345.6, tokens_per_second=12345.6,
            message="w" * 1024,
        )
    ] * 8  # fmt: skip
    result = QuantizeResult(
        rungs=rungs, baseline_perplexity=12345.6789, baseline_tokens_per_second=12345.6,
        source_bytes=10**12, ladder_reason="y" * 1024, calibration_rows=65536, merged=made,
        artifact=made,
    )  # fmt: skip
    ended = Termination(
        flow="quantize",
        succeeded=True,
        reason=Reason.NO_RUNG_PASSED,
        message="m" * 4096,
        quantize=result,
    )
    text = encode(ended)
    assert len(text.encode()) <= TERMINATION_LIMIT
    told = Termination.model_validate_json(text).quantize
    assert told is not None
    assert told.artifact == told.merged == made
    assert [rung.model_copy(update={"message": None}) for rung in told.rungs] == [
        rung.model_copy(update={"message": None}) for rung in rungs
    ]
