"""What is written and, above all, what is not."""

import asyncio
from typing import Any

import pytest
from fake_api import FakeClient

from martlet_operator.cluster.apply import Applier, is_applied, stamp

Object = dict[str, Any]


def thing(kind: str = "Service", **spec: Any) -> Object:
    api = "batch/v1" if kind == "Job" else "v1"
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": "x", "namespace": "team"},
        "spec": spec,
    }


def apply(client: FakeClient, applier: Applier, desired: Object) -> list[str]:
    """Applies as the loop does; returns what was written."""
    written = len(client.writes)
    live = next(iter(client.find(desired["kind"])), None)
    asyncio.run(applier.apply(desired, live))
    return client.writes[written:]


@pytest.mark.parametrize(
    ("live", "desired", "applied"),
    [
        ({"a": 1, "default": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": [{"x": 1, "y": 2}]}, {"a": [{"x": 1}]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": 1}, {"a": {"b": 1}}, False),
        ({"a": {}}, {"a": []}, False),
    ],
)
def test_whether_every_desired_field_stands(live: Object, desired: Object, applied: bool) -> None:
    assert is_applied(desired, live) is applied


def test_a_field_that_is_no_longer_desired_is_seen() -> None:
    client = FakeClient()
    applier = Applier(client)
    apply(client, applier, thing(a=1, b=2))
    assert apply(client, applier, thing(a=1)) == ["PATCH services/x"]
    assert client.one("Service", "x")["spec"] == {"a": 1}


def test_the_stamp_is_of_the_object_and_leaves_it_as_it_was() -> None:
    desired = thing(a=1)
    assert stamp(desired) == stamp(thing(a=1)) != stamp(thing(a=2))
    assert "annotations" not in desired["metadata"]


def test_what_stands_is_not_written_again() -> None:
    client = FakeClient()
    applier = Applier(client)
    assert apply(client, applier, thing(a=1)) == ["PATCH services/x"]
    assert apply(client, applier, thing(a=1)) == []
    assert apply(client, Applier(client), thing(a=1)) == [], "nor by a new process"


def test_what_the_server_spells_its_own_way_is_written_once() -> None:
    class Spelling(FakeClient):
        def _store(self, place: Any, item: Object, live: Object | None) -> Object:
            if item.get("spec", {}).get("cpu") == "1000m":
                item = {**item, "spec": {**item["spec"], "cpu": "1"}}
            return super()._store(place, item, live)

    client = Spelling()
    applier = Applier(client)
    apply(client, applier, thing(cpu="1000m"))
    assert apply(client, applier, thing(cpu="1000m")) == ["PATCH services/x"]
    assert apply(client, applier, thing(cpu="1000m")) == []
    client.put({**client.one("Service", "x"), "spec": {"cpu": "2"}})
    assert apply(client, applier, thing(cpu="1000m")) == ["PATCH services/x"], "somebody's change"


def test_a_job_s_template_is_never_written_again() -> None:
    client = FakeClient()
    applier = Applier(client)
    apply(client, applier, thing("Job", suspend=False, template="a"))
    assert apply(client, applier, thing("Job", suspend=False, template="b")) == []
    assert apply(client, applier, thing("Job", suspend=True, template="b")) == ["PATCH jobs/x"]
    assert client.one("Job", "x")["spec"] == {"suspend": True, "template": "a"}


@pytest.mark.parametrize("verdict", ["Complete", "Failed"])
def test_a_finished_job_is_not_suspended(verdict: str) -> None:
    client = FakeClient()
    over = {"conditions": [{"type": verdict, "status": "True"}]}
    client.put({**thing("Job", suspend=False), "status": over})
    assert apply(client, Applier(client), thing("Job", suspend=True)) == []
