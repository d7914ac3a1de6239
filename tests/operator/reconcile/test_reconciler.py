"""The one loop over an API server of dicts: the whole road, killed anywhere, idle at its end."""

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fake_api import Cluster, FakeClient
from operator_builders import (
    NAMESPACE,
    SETTINGS,
    from_,
    preflight_told,
    resource,
    said,
    stage_told,
)
from prometheus_client import REGISTRY

from martlet_api import labels
from martlet_operator.errors import Conflict, Refused, Unavailable, error_for
from martlet_operator.reconcile import reconciler as module
from martlet_operator.reconcile.dependents import Dependents
from martlet_operator.reconcile.kept import Kept
from martlet_operator.reconcile.queue import Key
from martlet_operator.reconcile.reconciler import Reconciler

Object = dict[str, Any]

ROAD = [
    resource("FineTuneJob", "tune"),
    resource("EvalRun", "score", model=from_("FineTuneJob", "tune")),
    resource("QuantizedModel", "small", model=from_("FineTuneJob", "tune")),
    resource("EvalRun", "gate", model=from_("QuantizedModel", "small")),
    resource(
        "InferenceService",
        "serve",
        model=from_("QuantizedModel", "small"),
        gates=[{"evalRun": "gate"}],
        endpoint={"gateway": {"name": "gw"}, "hostnames": ["a.example.com"]},
    ),
    resource("InferenceService", "plain"),
    resource("EvalRun", "live", model=None, service={"name": "serve"}),
]


GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "gw", "namespace": NAMESPACE},
}


def says(job: Object) -> tuple[int, str]:
    """Every stage of every Job goes well."""
    kind, stage = (job["metadata"]["labels"][label] for label in (labels.KIND, labels.STAGE))
    if stage == "preflight":
        return 0, json.dumps(preflight_told(kind))
    return 0, json.dumps(stage_told(kind, stage, text=f"made-{kind}"))


class Killed(Exception):
    """The operator's process ends here."""


def keys_of(client: FakeClient) -> list[Key]:
    kinds = ("FineTuneJob", "EvalRun", "QuantizedModel", "InferenceService")
    return [
        Key(kind, NAMESPACE, item["metadata"]["name"])
        for kind in kinds
        for item in client.find(kind)
    ]


def new_reconciler(client: FakeClient) -> Reconciler:
    return Reconciler(client, SETTINGS, Dependents(), Kept())


async def settle(client: FakeClient, cluster: Cluster) -> int:
    """Reconciles and lets the cluster get on until nothing changes; a killed operator is started
    anew. Returns how often it was killed."""
    reconciler, kills = new_reconciler(client), 0
    for _ in range(60):
        written, killed = len(client.writes), kills
        for key in keys_of(client):
            try:
                await reconciler.reconcile(key)
            except Killed:
                kills += 1
                reconciler = new_reconciler(client)
        if not cluster.step() and (len(client.writes), kills) == (written, killed):
            return kills
    raise AssertionError(f"never settles: {client.writes[-10:]}")


def walk(
    on_write: Callable[[str, str], None] | None = None, road: list[Object] = ROAD
) -> FakeClient:
    """The whole road; returns the API server as it is at the end."""
    client = FakeClient()
    for item in (*road, GATEWAY):
        client.put(item)
    if on_write:
        client.on_write = on_write
    asyncio.run(settle(client, Cluster(client, says)))
    return client


_VOLATILE = {"uid", "resourceVersion", "creationTimestamp", "lastTransitionTime", "startedAt"}
_VOLATILE |= {"finishedAt", "updatedAt", "at", "firstTimestamp", "lastTimestamp", "generation"}
_VOLATILE |= {"observedGeneration"}


def stable(value: Any) -> Any:
    """Without what differs from walk to walk: identities and times."""
    if isinstance(value, dict):
        return {k: stable(v) for k, v in value.items() if k not in _VOLATILE}
    return [stable(item) for item in value] if isinstance(value, list) else value


def outcome(client: FakeClient) -> Object:
    """All that stands in the end, Events aside: one is lost if the operator is killed before it."""
    return {
        "/".join(place): stable(item)
        for place, item in client.table.items()
        if place[0] != "events"
    }


def ready_of(client: FakeClient, kind: str, name: str) -> Object:
    conditions = client.one(kind, name)["status"]["conditions"]
    return next(c for c in conditions if c["type"] == "Ready")


@pytest.fixture(scope="module")
def road() -> FakeClient:
    return walk()


def test_the_whole_road_ends_well(road: FakeClient) -> None:
    reasons = {
        item["metadata"]["name"]: ready_of(road, item["kind"], item["metadata"]["name"])["reason"]
        for item in ROAD
    }
    assert reasons == {
        "tune": "Succeeded",
        "score": "Passed",
        "small": "Succeeded",
        "gate": "Passed",
        "serve": "Serving",
        "plain": "Serving",
        "live": "Passed",
    }


def test_the_chain_of_digests_holds(road: FakeClient) -> None:
    tuned = road.one("FineTuneJob", "tune")["status"]["artifact"]["digest"]
    made_from = {m["name"]: m for m in road.one("QuantizedModel", "small")["status"]["madeFrom"]}
    assert made_from["adapter"] == {
        "name": "adapter",
        "digest": tuned,
        "resource": "FineTuneJob/tune",
    }
    small = road.one("QuantizedModel", "small")["status"]["artifact"]["digest"]
    assert road.one("EvalRun", "gate")["status"]["verdict"]["modelDigest"] == small
    assert road.one("InferenceService", "serve")["status"]["stable"]["digest"] == small
    assert road.one("EvalRun", "live")["status"]["verdict"]["modelDigest"] == small


def test_each_object_is_made_once(road: FakeClient) -> None:
    made = [w for w in road.writes if w.startswith(("PATCH jobs", "PATCH configmaps"))]
    assert len(made) == len(set(made))
    assert not [w for w in road.writes if w.startswith("DELETE")]


def test_settled_it_writes_nothing() -> None:
    client = walk()
    written = len(client.writes)

    async def resync_twice() -> None:
        for reconciler in (new_reconciler(client), new_reconciler(client)):
            for key in keys_of(client):
                assert await reconciler.reconcile(key) is None

    asyncio.run(resync_twice())
    assert client.writes[written:] == []


def test_killed_before_any_write_it_ends_the_same() -> None:
    """Which is after the write before it."""
    short = [ROAD[0], *ROAD[2:5]]
    road = walk(road=short)
    expected, kills = outcome(road), 0
    for number in range(len(road.writes)):
        seen: list[str] = []

        def kill(at: str, what: str, number: int = number, seen: list[str] = seen) -> None:
            if at == "before":
                seen.append(what)
                if len(seen) == number + 1:
                    raise Killed(what)

        assert outcome(walk(kill, short)) == expected, f"killed before {road.writes[number]}"
        kills += len(seen) > number
    assert kills == len(road.writes)


@pytest.mark.parametrize("status", [409, 429, 500])
def test_an_answer_that_may_change_is_given_to_the_loop(status: int) -> None:
    client = FakeClient()
    client.put(ROAD[0])

    def fail(at: str, what: str) -> None:
        if at == "before":
            raise error_for(status, "not now")

    client.on_write = fail
    with pytest.raises(Conflict if status == 409 else Unavailable):
        asyncio.run(new_reconciler(client).reconcile(Key("FineTuneJob", NAMESPACE, "tune")))


# Events


def test_an_event_for_each_change_of_reason_and_no_other(road: FakeClient) -> None:
    told = [e["reason"] for e in road.find("Event") if e["involvedObject"]["name"] == "tune"]
    assert sorted(told) == ["Resolving", "RevisionsLocked", "Succeeded", "Training"]


def test_a_new_message_alone_is_no_event() -> None:
    client = FakeClient()
    client.put(resource("EvalRun", "e", model=from_("FineTuneJob", "t")))
    key = Key("EvalRun", NAMESPACE, "e")
    reconciler = new_reconciler(client)
    client.put(resource("FineTuneJob", "t"))
    asyncio.run(reconciler.reconcile(key))
    first = ready_of(client, "EvalRun", "e")
    client.put(
        resource("FineTuneJob", "t", status={"conditions": [{**first, "reason": "Training"}]})
    )
    asyncio.run(reconciler.reconcile(key))
    assert ready_of(client, "EvalRun", "e")["message"] != first["message"]
    assert len(client.find("Event")) == 1


# What is not ours


def _refused_road(taken: Object) -> FakeClient:
    client = FakeClient()
    client.put(resource("InferenceService", "plain"))
    client.put(taken)
    asyncio.run(settle(client, Cluster(client, says)))
    return client


def test_an_object_of_somebody_else_is_left_alone() -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "plain", "namespace": NAMESPACE, "labels": {"app": "theirs"}},
        "spec": {"ports": [{"port": 1}]},
    }
    client = _refused_road(theirs)
    found = client.one("Service", "plain")
    assert found["spec"] == theirs["spec"]
    assert found["metadata"]["labels"] == {"app": "theirs"}
    ready = ready_of(client, "InferenceService", "plain")
    assert (ready["status"], ready["reason"]) == ("False", "NameTaken")
    assert "Service plain exists already" in ready["message"]


def test_what_is_refused_is_tried_again_but_not_written_again() -> None:
    client = FakeClient()
    client.put(ROAD[0])
    key = Key("FineTuneJob", NAMESPACE, "tune")

    def refuse(at: str, what: str) -> None:
        if at == "before" and "jobs" in what and "status" not in what:
            raise Refused(422, "spec.template is wrong.")

    client.on_write = refuse
    again = asyncio.run(new_reconciler(client).reconcile(key))
    assert again
    live = client.one("FineTuneJob", "tune")
    ready = ready_of(client, "FineTuneJob", "tune")
    assert (ready["status"], ready["reason"]) == ("False", "RefusedByApi")
    assert "spec.template is wrong." in ready["message"]
    ready["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    client.put(live)
    written = len(client.writes)
    asyncio.run(new_reconciler(client).reconcile(key))
    assert [w for w in client.writes[written:] if "finetunejobs" in w] == []


def test_what_the_api_server_fails_at_for_a_minute_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    client, key = FakeClient(), Key("FineTuneJob", NAMESPACE, "tune")
    client.put(ROAD[0])

    def fail(at: str, what: str) -> None:
        if at == "before" and "jobs" in what and "status" not in what:
            raise error_for(500, "failed calling webhook.")

    client.on_write = fail
    ours = new_reconciler(client)
    for _ in range(2):
        with pytest.raises(Unavailable):
            asyncio.run(ours.reconcile(key))
        clock[0] += 59
    assert "status" not in client.one("FineTuneJob", "tune")
    asyncio.run(ours.reconcile(key))
    ready = ready_of(client, "FineTuneJob", "tune")
    assert (ready["status"], ready["reason"]) == ("False", "RefusedByApi")
    assert ready["message"].startswith("The API server fails at what this needs: failed calling")

    client.on_write = lambda _at, _what: None
    asyncio.run(ours.reconcile(key))
    assert ready_of(client, "FineTuneJob", "tune")["reason"] == "Resolving"
    asyncio.run(client.delete(client.find("Job")[0]))
    client.on_write = fail
    with pytest.raises(Unavailable):
        asyncio.run(ours.reconcile(key))


def test_a_kind_that_the_cluster_does_not_have_is_told() -> None:
    client = FakeClient()
    client.put(ROAD[4] | {"spec": {**ROAD[4]["spec"], "gates": [], "model": {"uri": "pvc://a/b"}}})

    def unknown(at: str, what: str) -> None:
        if at == "before" and "httproutes" in what:
            raise error_for(404, "the server could not find the requested resource")

    client.on_write = unknown
    asyncio.run(settle(client, Cluster(client, says)))
    ready = ready_of(client, "InferenceService", "serve")
    assert ready["reason"] == "RefusedByApi"
    assert "HTTPRoute" in ready["message"]


def test_a_spec_that_is_not_valid_is_told_once_and_nothing_is_touched() -> None:
    client = walk(road=ROAD[:1])
    made = client.one("FineTuneJob", "tune")["status"]["artifact"]
    live = client.one("FineTuneJob", "tune")
    client.put({**live, "spec": {**live["spec"], "datasets": []}})
    before = {kind: client.find(kind) for kind in ("Job", "ConfigMap", "Pod")}
    key = Key("FineTuneJob", NAMESPACE, "tune")
    asyncio.run(new_reconciler(client).reconcile(key))
    live = client.one("FineTuneJob", "tune")
    ready = ready_of(client, "FineTuneJob", "tune")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert "spec.datasets" in ready["message"]
    assert live["status"]["artifact"] == made
    assert {kind: client.find(kind) for kind in before} == before
    ready["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    client.put(live)
    written = len(client.writes)
    asyncio.run(new_reconciler(client).reconcile(key))
    assert client.writes[written:] == []


# Going away, coming back


def test_a_deleted_resource_is_forgotten() -> None:
    dependents = Dependents()
    client = FakeClient()
    client.put(ROAD[1])
    key, target = Key("EvalRun", NAMESPACE, "score"), Key("FineTuneJob", NAMESPACE, "tune")
    reconciler = Reconciler(client, SETTINGS, dependents, Kept())
    asyncio.run(reconciler.reconcile(key))
    assert dependents.of(target) == {key}
    client.remove(("evalruns", NAMESPACE, "score"))
    assert asyncio.run(reconciler.reconcile(key)) is None
    assert dependents.of(target) == set()


def test_what_a_service_tells_outlasts_others_of_its_name() -> None:
    client = FakeClient()
    client.put(resource("InferenceService", "same", replicas=3))
    reconciler = new_reconciler(client)
    asyncio.run(reconciler.reconcile(Key("InferenceService", NAMESPACE, "same")))
    told = ("martlet_service_wanted_replicas", {"namespace": NAMESPACE, "service": "same"})
    asyncio.run(reconciler.reconcile(Key("EvalRun", NAMESPACE, "same")))
    assert REGISTRY.get_sample_value(*told) == 3
    client.remove(("inferenceservices", NAMESPACE, "same"))
    asyncio.run(reconciler.reconcile(Key("InferenceService", NAMESPACE, "same")))
    assert REGISTRY.get_sample_value(*told) is None


def test_who_scores_a_service_is_looked_at_again_when_it_changes() -> None:
    dependents, client = Dependents(), FakeClient()
    client.put(resource("EvalRun", "live", model=None, service={"name": "serve"}))
    key = Key("EvalRun", NAMESPACE, "live")
    asyncio.run(Reconciler(client, SETTINGS, dependents, Kept()).reconcile(key))
    assert dependents.of(Key("InferenceService", NAMESPACE, "serve")) == {key}


def test_a_circle_by_gates_is_seen_though_nothing_of_it_is_named_directly() -> None:
    """The whole way is read: live -> serve -> other -> second -> live."""
    client = FakeClient()
    for name, asked in (("live", "serve"), ("other", "second")):
        client.put(resource("EvalRun", name, model=None, service={"name": asked}))
    for name, gate in (("serve", "other"), ("second", "live")):
        client.put(resource("InferenceService", name, gates=[{"evalRun": gate}]))
    asyncio.run(new_reconciler(client).reconcile(Key("EvalRun", NAMESPACE, "live")))
    assert ready_of(client, "EvalRun", "live")["reason"] == "CircularReference"


def test_a_deleted_job_is_made_again_until_its_end_is_known() -> None:
    client = FakeClient()
    client.put(ROAD[0])
    key = Key("FineTuneJob", NAMESPACE, "tune")
    reconciler = new_reconciler(client)
    asyncio.run(reconciler.reconcile(key))
    (job,) = client.find("Job")
    client.remove(("jobs", NAMESPACE, job["metadata"]["name"]))
    asyncio.run(reconciler.reconcile(key))
    assert [j["metadata"]["name"] for j in client.find("Job")] == [job["metadata"]["name"]]


@pytest.mark.parametrize("kind", ["FineTuneJob", "InferenceService"])
def test_a_result_that_was_lost_is_made_again(kind: str) -> None:
    """The preflight Job is over and somebody removed its pod before it was read."""
    client = FakeClient()
    client.put(resource(kind, "x"))
    key = Key(kind, NAMESPACE, "x")
    reconciler = new_reconciler(client)
    asyncio.run(reconciler.reconcile(key))
    cluster = Cluster(client, says)
    cluster.step()
    (pod,) = client.find("Pod")
    client.remove(("pods", NAMESPACE, pod["metadata"]["name"]))
    assert asyncio.run(reconciler.reconcile(key)) == 1
    assert client.find("Job") == []
    asyncio.run(settle(client, cluster))
    assert ready_of(client, kind, "x")["status"] == "True"


def test_a_suspended_job_is_held_and_let_go() -> None:
    client = FakeClient()
    client.put(ROAD[0])
    key = Key("FineTuneJob", NAMESPACE, "tune")
    reconciler = new_reconciler(client)
    asyncio.run(reconciler.reconcile(key))
    for suspend in (True, False):
        live = client.one("FineTuneJob", "tune")
        client.put({**live, "spec": {**live["spec"], "suspend": suspend}})
        asyncio.run(reconciler.reconcile(key))
        assert [job["spec"]["suspend"] for job in client.find("Job")] == [suspend]


def test_a_job_that_was_resumed_and_refused_says_why() -> None:
    """A resumed Job has a condition (Suspended is False), and yet its pods may be refused."""
    client = FakeClient()
    client.put(ROAD[0])
    key = Key("FineTuneJob", NAMESPACE, "tune")
    reconciler = new_reconciler(client)
    asyncio.run(reconciler.reconcile(key))
    (job,) = client.find("Job")
    job["status"] = {"conditions": [{"type": "Suspended", "status": "False"}]}
    client.put(job)
    client.put(
        {
            "kind": "Event",
            "metadata": {"name": "e", "namespace": NAMESPACE},
            "involvedObject": {"name": job["metadata"]["name"]},
            "type": "Warning",
            "message": "exceeded quota: small.",
        }
    )
    asyncio.run(reconciler.reconcile(key))
    assert ready_of(client, "FineTuneJob", "tune")["reason"] == "PodRefused"


def test_a_user_s_error_leaves_the_job_ended() -> None:
    client = FakeClient()
    client.put(ROAD[0])
    told = json.dumps(said("preflight", "DatasetEmpty", "No rows."))
    asyncio.run(settle(client, Cluster(client, lambda job: (65, told))))
    assert ready_of(client, "FineTuneJob", "tune")["message"] == "No rows."
    assert len(client.find("Job")) == 1, "kept for its logs"
