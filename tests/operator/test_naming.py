"""Names fit where Kubernetes puts them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.naming import (
    digest_of,
    owned_labels,
    owner_selector,
    revision_name,
    run_id,
    stage_name,
)

NAME = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True)
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


@given(NAME, st.text())
def test_every_name_is_a_dns_label(resource: str, value: str) -> None:
    run = run_id(value)
    stages = [stage_name(resource, run, s) for s in ("preflight", "train", "evaluate", "quantize")]
    assert len(set(stages)) == len(stages)
    for name in (*stages, revision_name(resource, value)):
        assert re.fullmatch(LABEL, name)
        assert len(f"{name}") <= 63


@given(NAME)
def test_labels_fit_and_select(name: str) -> None:
    marks = owned_labels("InferenceService", name, revision=revision_name(name, 1))
    assert all(len(value) <= 63 for value in marks.values())
    wanted = dict(term.split("=") for term in owner_selector("InferenceService", name).split(","))
    assert wanted.items() <= marks.items()


@pytest.mark.parametrize("value", [{"a": 1, "b": [2]}, "é", None])
def test_a_digest_is_of_the_value_not_of_its_order(value: object) -> None:
    assert digest_of(value) == digest_of(value)
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of([1, 2]) != digest_of([2, 1])
