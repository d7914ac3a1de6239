"""What a training run asks for: inputs by method, and what is refused beforehand."""

from __future__ import annotations

from typing import Any

import pytest
from operator_builders import decide, digest, from_, ready, resource, spec_of, with_artifact

from martlet_api.finetunejob import FineTuneJobSpec
from martlet_operator.finetunejob import desired

Object = dict[str, Any]


def spec(**changes: Any) -> FineTuneJobSpec:
    return FineTuneJobSpec.model_validate(spec_of("FineTuneJob", **changes))


def test_rewards_ask_for_their_columns() -> None:
    rewards = [{"type": "ExactMatch"}, {"type": "NumberMatch", "column": "n"}, {"type": "Format"}]
    (data,) = desired.inputs(spec(method="GRPO", rewards=rewards))
    wanted = data.input(None)
    assert (wanted.rows, wanted.columns) == ("PromptOnly", ["n", "solution"])


def test_a_teacher_and_rows_for_validation_are_brought_too() -> None:
    validation = {"dataset": {"uri": "pvc://data/held.jsonl"}}
    teacher = {"uri": "hf://org/big", "revision": "main"}
    found = desired.inputs(spec(method="GKD", teacher=teacher, validation=validation))
    wanted = [item.input(None) for item in found]
    assert [(item.name, item.kind) for item in wanted] == [
        ("dataset-0", "Dataset"),
        ("validation", "Dataset"),
        ("teacher", "Model"),
    ]
    assert wanted[2].revision == "main"


def test_preflight_writes_beside_the_artifact() -> None:
    plan = desired.rows({"metadata": {"name": "tune"}}, spec(onBadRows="Skip"), "r1")
    assert plan.uri == "pvc://models/tune/r1-preflight"
    assert (plan.on_bad_rows, plan.limit, plan.audit_fraction) == ("Skip", 100, 0.05)


def test_a_pattern_that_is_none_is_refused() -> None:
    rewards = [{"type": "Format", "pattern": "("}]
    decision = decide(resource("FineTuneJob", method="GRPO", rewards=rewards))
    assert ready(decision)[:2] == ("False", "InvalidSpec")
    assert "spec.rewards[0].pattern is no regular expression" in ready(decision)[2]


TUNED = with_artifact("FineTuneJob", "other", "tuned", base="base")


@pytest.mark.parametrize(
    ("tuner", "refused"),
    [({}, True), ({"type": "VeRA"}, True), ({"merge": True}, False), ({"type": "Full"}, False)],
)
def test_an_adapter_over_an_adapter_is_merged_or_refused(tuner: Object, refused: bool) -> None:
    live = resource("FineTuneJob", model=from_("FineTuneJob", "other"), tuner=tuner)
    assert (ready(decide(live, [TUNED]))[1] == "InvalidSpec") is refused


def made(**parts: Any) -> Object:
    """A FineTuneJob that has made something of another format."""
    other = with_artifact("FineTuneJob", "other", "tuned", base="base")
    other["status"]["artifact"] = {**other["status"]["artifact"], **parts}
    return other


@pytest.mark.parametrize("kind", ["EvalRun", "InferenceService"])
def test_an_adapter_that_engines_do_not_load_is_not_served(kind: str) -> None:
    other = made()
    del other["status"]["artifact"]["adapterRank"]
    decision = decide(resource(kind, model=from_("FineTuneJob", "other")), [other])
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "InvalidSpec")
    assert "spec.tuner.merge" in message


@pytest.mark.parametrize("kind", ["EvalRun", "InferenceService", "QuantizedModel"])
def test_a_reward_model_is_no_model_that_answers(kind: str) -> None:
    other = made(format="reward-adapter", digest=digest("reward"))
    decision = decide(resource(kind, model=from_("FineTuneJob", "other")), [other])
    status, reason, message = ready(decision)
    assert (status, reason) == ("Unknown", "ReferenceFailed")
    assert "gives numbers and no answers" in message
