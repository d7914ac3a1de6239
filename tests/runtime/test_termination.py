"""The termination message always fits."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_api.conditions import Reason
from martlet_api.contract import TERMINATION_LIMIT, EvaluateResult, Termination
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
