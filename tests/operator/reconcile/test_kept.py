"""A rollout in which nothing happens but requests asks the API server for nothing."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fake_api import Cluster, FakeClient
from operator_builders import NAMESPACE, SETTINGS, preflight_told, resource, stage_told

from martlet_api import labels
from martlet_operator.reconcile.dependents import Dependents
from martlet_operator.reconcile.kept import Kept
from martlet_operator.reconcile.queue import Key
from martlet_operator.reconcile.reconciler import Reconciler
from martlet_operator.reconcile.snapshot import Snapshot

Object = dict[str, Any]
KEY = Key("InferenceService", NAMESPACE, "chat")
CANARY = {"steps": [{"weight": 10, "minDuration": "24h"}], "warmUp": "0s"}
ENDPOINT = {"gateway": {"name": "gw"}, "hostnames": ["a.example.com"]}


class Counting(FakeClient):
    """``reads`` are the paths of all GETs."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    async def request(self, method: str, path: str, **how: Any) -> Object:
        if method == "GET":
            self.reads.append(path)
        return await super().request(method, path, **how)


def snapshot(version: str = "1", status: Object | None = None) -> Snapshot:
    item = resource("InferenceService", "chat")
    item["metadata"]["resourceVersion"] = version
    return Snapshot({**item, "status": {"canary": {"revision": "b"}} if status is None else status})


def known(period: float = 60.0, **how: Any) -> Kept:
    kept = Kept(period)
    kept.begin(KEY)
    kept.keep(KEY, snapshot(**how))
    kept.told(KEY, "1")
    return kept


def wrote(kept: Kept) -> None:
    kept.write(KEY, snapshot("2").resource)


def wrote_and_told(kept: Kept) -> None:
    wrote(kept)
    kept.told(KEY, "2")


def read_again_meanwhile_changed(kept: Kept) -> None:
    kept.begin(KEY)
    kept.changed(KEY)
    kept.keep(KEY, snapshot())


def read_again(kept: Kept) -> None:
    kept.changed(KEY)
    kept.begin(KEY)
    kept.keep(KEY, snapshot())


@pytest.mark.parametrize(
    ("happens", "stays"),
    [
        (lambda kept: None, True),
        (lambda kept: kept.changed(KEY), False),
        (lambda kept: kept.changed(KEY._replace(name="other")), True),
        (lambda kept: kept.told(KEY, "2"), False),
        (wrote, False),  # until the event about it comes, somebody else's may be before it
        (wrote_and_told, True),
        (lambda kept: kept.begin(KEY), False),
        (read_again, True),
        (read_again_meanwhile_changed, False),
        (lambda kept: kept.forget(KEY), False),
    ],
)
def test_it_stays_until_an_event_tells_of_something_else(
    happens: Callable[[Kept], None], stays: bool
) -> None:
    kept = known()
    happens(kept)
    assert (kept.recall(KEY) is not None) == stays


def test_it_is_dropped_in_time() -> None:
    assert known(period=0.0).recall(KEY) is None


def test_only_of_a_rollout_anything_is_kept() -> None:
    assert known(status={}).recall(KEY) is None


def test_what_was_written_is_what_is_remembered() -> None:
    kept = known()
    wrote_and_told(kept)
    found = kept.recall(KEY)
    assert found is not None
    assert found.resource["metadata"]["resourceVersion"] == "2"
    assert found.references[(KEY.kind, KEY.name)] is found.resource


def test_before_any_event_nothing_is_trusted() -> None:
    kept = Kept()
    kept.begin(KEY)
    kept.keep(KEY, snapshot())
    assert kept.recall(KEY) is None


async def in_rollout() -> Counting:
    """An API server with a service whose canary has a day to wait."""
    client = Counting()
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    client.put({**gateway, "metadata": {"name": "gw", "namespace": NAMESPACE}})
    service = resource("InferenceService", "chat", canary=CANARY, endpoint=ENDPOINT)
    client.put(service)
    await settle(client)
    live = client.one("InferenceService", "chat")
    client.put({**live, "spec": {**live["spec"], "engine": {"maxModelLen": 512}}})
    await settle(client)
    status = client.one("InferenceService", "chat")["status"]
    assert status["canary"]["state"] == "Stepping", status
    client.reads.clear()
    client.writes.clear()
    return client


async def settle(client: FakeClient) -> None:
    def says(job: Object) -> tuple[int, str]:
        kind, stage = (job["metadata"]["labels"][label] for label in (labels.KIND, labels.STAGE))
        told = preflight_told(kind) if stage == "preflight" else stage_told(kind, stage)
        return 0, json.dumps(told)

    cluster, reconciler = Cluster(client, says), Reconciler(client, SETTINGS, Dependents(), Kept())
    for _ in range(30):
        written = len(client.writes)
        await reconciler.reconcile(KEY)
        if not cluster.step() and len(client.writes) == written:
            return
    raise AssertionError(f"never settles: {client.writes[-5:]}")


def hears(kept: Kept, client: FakeClient) -> None:
    kept.told(KEY, client.one(KEY.kind, KEY.name)["metadata"]["resourceVersion"])


def test_where_nothing_happens_nothing_is_read() -> None:
    async def passes() -> Counting:
        client, kept = await in_rollout(), Kept()
        reconciler = Reconciler(client, SETTINGS, Dependents(), kept)
        await reconciler.reconcile(KEY)
        hears(kept, client)
        assert client.reads
        client.reads.clear()
        for _ in range(5):
            assert await reconciler.reconcile(KEY) is not None
        return client

    client = asyncio.run(passes())
    assert (client.reads, client.writes) == ([], [])


class Mistaken(Kept):
    """Remembers a service without what belongs to it."""

    def recall(self, key: Key) -> Snapshot | None:
        found = super().recall(key)
        return found and replace(found, owned=[])


def test_on_the_word_of_what_was_read_before_no_object_is_written() -> None:
    async def passes() -> Counting:
        client, kept = await in_rollout(), Mistaken()
        reconciler = Reconciler(client, SETTINGS, Dependents(), kept)
        await reconciler.reconcile(KEY)
        hears(kept, client)
        client.reads.clear()
        await reconciler.reconcile(KEY)
        return client

    client = asyncio.run(passes())
    assert client.reads
    assert client.writes == []
