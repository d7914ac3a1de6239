"""The lock of the leader election."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fake_api import FakeClient
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord

from martlet_operator.cluster import lease
from martlet_operator.cluster.lease import LEASE_NAME, Lock
from martlet_operator.errors import Unavailable

NAMESPACE = "martlet-system"


def record(holder: str) -> LeaderElectionRecord:
    return LeaderElectionRecord(holder, "15", "2026-01-02T03:04:05.000000Z", "x")


def run(work: Any) -> Any:
    return asyncio.run(work)


def test_there_is_none_at_first() -> None:
    held, error = run(Lock(FakeClient(), NAMESPACE, "a").get(LEASE_NAME, NAMESPACE))
    assert not held
    assert error.status == 404
    assert '"code": 404' in error.body, "the election reads the body"


def test_it_is_made_and_read_back() -> None:
    client = FakeClient()
    lock = Lock(client, NAMESPACE, "a")
    assert run(lock.create(LEASE_NAME, NAMESPACE, record("a")))
    held, found = run(lock.get(LEASE_NAME, NAMESPACE))
    assert held
    assert found.holder_identity == "a"
    assert found.lease_duration == "15"
    renewed = datetime.fromisoformat(found.renew_time)
    assert abs((datetime.now(UTC) - renewed).total_seconds()) < 5


def test_only_one_of_two_makes_it() -> None:
    client = FakeClient()
    assert run(Lock(client, NAMESPACE, "a").create(LEASE_NAME, NAMESPACE, record("a")))
    assert not run(Lock(client, NAMESPACE, "b").create(LEASE_NAME, NAMESPACE, record("b")))


def test_who_was_slower_gets_nothing() -> None:
    client = FakeClient()
    one, two = Lock(client, NAMESPACE, "a"), Lock(client, NAMESPACE, "b")
    run(one.create(LEASE_NAME, NAMESPACE, record("a")))
    run(one.get(LEASE_NAME, NAMESPACE))
    run(two.get(LEASE_NAME, NAMESPACE))
    assert run(two.update(LEASE_NAME, NAMESPACE, record("b")))
    assert not run(one.update(LEASE_NAME, NAMESPACE, record("a")))


def test_an_api_server_that_is_away_is_no_lease() -> None:
    client = FakeClient()

    def away(when: str, what: str) -> None:
        raise Unavailable(0, "no answer")

    client.on_write = away
    assert not run(Lock(client, NAMESPACE, "a").create(LEASE_NAME, NAMESPACE, record("a")))


def test_it_is_given_back_by_its_holder_alone() -> None:
    client = FakeClient()
    lock = Lock(client, NAMESPACE, "a")
    run(lock.create(LEASE_NAME, NAMESPACE, record("a")))
    run(lease.release(client, NAMESPACE, "b"))
    assert run(lock.get(LEASE_NAME, NAMESPACE))[1].holder_identity == "a"
    run(lease.release(client, NAMESPACE, "a"))
    assert run(lock.get(LEASE_NAME, NAMESPACE))[1].holder_identity is None
