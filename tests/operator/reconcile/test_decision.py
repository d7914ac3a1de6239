"""What is pruned, and who is looked at again."""

import pytest

from martlet_api.runs import RunStatus
from martlet_operator.reconcile.decision import Decision, keep_revisions, keep_run, pruned
from martlet_operator.reconcile.dependents import Dependents
from martlet_operator.reconcile.queue import Key


def item(name: str, kind: str = "Job", *, going: bool = False, **labels: str) -> dict:
    marks = {f"martlet.dev/{key}": value for key, value in labels.items()}
    gone = {"deletionTimestamp": "now"} if going else {}
    return {"kind": kind, "metadata": {"name": name, "labels": marks, **gone}}


@pytest.mark.parametrize(
    ("owned", "goes"),
    [
        (item("wanted"), False),
        (item("wanted", "ConfigMap"), True),
        (item("old", run="r1"), False),
        (item("old", run="r2"), True),
        (item("rev", "Deployment", revision="v1"), False),
        (item("rev", "Deployment", revision="v3"), True),
        (item("old", run="r2", going=True), False),
        (item("old"), True),
    ],
)
def test_what_is_neither_desired_nor_kept_goes(owned: dict, goes: bool) -> None:
    keep = (*keep_run("r1"), *keep_revisions("v1", "v2"))
    decision = Decision(RunStatus(), [item("wanted")], keep)
    assert pruned(decision, [owned]) == ([owned] if goes else [])


def test_dependents_follow_what_is_named() -> None:
    dependents = Dependents()
    user, other = Key("EvalRun", "ns", "e"), Key("QuantizedModel", "ns", "q")
    a, b = Key("FineTuneJob", "ns", "a"), Key("FineTuneJob", "ns", "b")
    dependents.names(user, {("FineTuneJob", "a")})
    dependents.names(other, {("FineTuneJob", "a")})
    assert dependents.of(a) == {user, other}
    dependents.names(user, {("FineTuneJob", "b")})
    assert (dependents.of(a), dependents.of(b)) == ({other}, {user})
    assert dependents.of(Key("FineTuneJob", "another", "b")) == set()
    dependents.forget(user)
    assert dependents.of(b) == set()
