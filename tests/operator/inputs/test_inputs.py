"""From what a spec names to what is known of it."""

import itertools
from typing import Any

import pytest
from operator_builders import artifact, digest, from_, resolved_input, resource, with_artifact

from martlet_api.references import DatasetSource, ModelSource
from martlet_api.runs import ModelArtifact, ResolvedInput
from martlet_operator.inputs.audit_line import audit_line
from martlet_operator.inputs.circles import circle
from martlet_operator.inputs.models import KnownModel, from_artifact
from martlet_operator.inputs.references import Waiting, reference_of, referenced_model
from martlet_operator.inputs.wanted import WantedDataset, gather, model_of

BY_URI = ModelSource.model_validate(
    {"uri": "hf://org/m", "revision": "main", "secretRef": {"name": "hub"}}
)
BY_NAME = ModelSource.model_validate(from_("FineTuneJob", "tune"))
DATA = WantedDataset("data", DatasetSource(uri="pvc://d/x.jsonl", max_samples=9), "Conversation")


def found(name: str, uri: str = "hf://org/m", **parts: Any) -> ResolvedInput:
    return ResolvedInput.model_validate({**resolved_input(name, uri), **parts})


def test_nothing_is_locked_at_first() -> None:
    inputs = gather(BY_URI, None, [DATA], [])
    assert inputs.model is None
    assert inputs.locked == []
    assert [(i.name, i.revision) for i in inputs.unlocked] == [("model", "main"), ("data", None)]
    assert inputs.made_from == []
    assert inputs.secrets == ("hub",)


def test_what_preflight_found_is_locked() -> None:
    inputs = gather(BY_URI, None, [DATA], [found("model", commit="c0ffee"), found("data")])
    assert inputs.unlocked == []
    assert [(i.name, i.commit, i.digest) for i in inputs.locked] == [
        ("model", "c0ffee", digest("model")),
        ("data", None, digest("data")),
    ]
    assert inputs.locked[1].max_samples == 9
    assert [link.name for link in inputs.made_from] == ["model", "data"]
    assert inputs.secrets == ("hub",), "stage brings the model with them"


def test_an_adapter_comes_with_its_base() -> None:
    model = from_artifact(
        ModelArtifact.model_validate(artifact("tuned", base="base")), "FineTuneJob/tune", ("hub",)
    )
    assert [i.name for i in model.inputs()] == ["model", "adapter"]
    assert [(m.name, m.resource) for m in model.made_from()] == [
        ("model", None),
        ("adapter", "FineTuneJob/tune"),
    ]
    assert model.uris == ["pvc://models/tuned", "pvc://models/base"]
    assert model.secrets == ("hub",)


def test_a_whole_model_needs_no_secret_of_its_base() -> None:
    model = from_artifact(
        ModelArtifact.model_validate(artifact("whole")), "FineTuneJob/t", ("hub",)
    )
    assert [i.name for i in model.inputs()] == ["model"]
    assert model.secrets == ()


def test_a_reference_with_an_artifact_is_a_model_though_its_next_run_failed() -> None:
    live = with_artifact("FineTuneJob", "tune", "one")
    live["status"]["conditions"] = []
    known = model_of(BY_NAME, {("FineTuneJob", "tune"): live})
    assert isinstance(known, KnownModel)
    assert known.digest == digest("one")
    assert model_of(BY_URI, {}) is None


def test_a_reference_that_is_gone() -> None:
    assert BY_NAME.from_
    for references in ({}, {("FineTuneJob", "tune"): None}):
        waiting = referenced_model(BY_NAME.from_, references)
        assert isinstance(waiting, Waiting)
        assert waiting.ready.reason == "ReferenceNotFound"


def test_circles() -> None:
    def chain(*names: str) -> dict[tuple[str, str], Any]:
        pairs = itertools.pairwise(names)
        return {
            ("FineTuneJob", a): resource("FineTuneJob", a, model=from_("FineTuneJob", b))
            for a, b in pairs
        }

    start = ("FineTuneJob", "a")
    assert circle(start, chain("a", "a")) == [start] * 2
    assert circle(start, chain("a", "b", "c")) is None
    way = circle(start, chain("a", "b", "c", "a"))
    assert way == [("FineTuneJob", name) for name in "abca"]
    assert circle(start, chain("a", "b", "c", "b")) is None, "not a's own circle"
    assert reference_of(None) is None
    assert reference_of(resource("EvalRun")) is None


def test_a_suite_of_the_longest_name_can_be_an_input() -> None:
    data = WantedDataset(f"suite-{'x' * 63}", DATA.source, "Evaluation", "general_qa")
    inputs = gather(BY_URI, None, [data], [found("model"), found(data.name)])
    assert inputs.made_from[1].name == data.name


@pytest.mark.parametrize(
    ("owner", "who"),
    [("team-a", "team-a asked for"), (None, "No owner (label martlet.dev/owner) asked for")],
)
def test_the_audit_line_says_who_asked_for_what(owner: str | None, who: str) -> None:
    labels = {"martlet.dev/owner": owner} if owner else {}
    model, data = found("model", commit="a" * 40), found("data", "pvc://d/x.jsonl")
    inputs = gather(ModelSource(uri="hf://org/m"), None, [DATA], [model, data])
    line = audit_line({"metadata": {"labels": labels}}, inputs)
    assert line == (
        f"{who} model hf://org/m at aaaaaaaaaaaa {model.digest[:19]}; "
        f"data pvc://d/x.jsonl {data.digest[:19]}."
    )
