"""Leader election by Lease: one operator works, others stand by.

The election is the client library's; the lock is ours, since the library's own sends requests that
its models refuse (kubernetes 37.0, ``pretty=True``).
"""

import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from martlet_operator.cluster.client import Client, Object
from martlet_operator.errors import ApiError

log = logging.getLogger(__name__)

LEASE_NAME = "martlet-operator"
_DURATION, _RENEW_DEADLINE, _RETRY = 15, 10, 2
_API_VERSION = "coordination.k8s.io/v1"


async def lead(
    client: Client,
    namespace: str,
    identity: str,
    work: Callable[[], Awaitable[None]],
    lost: Callable[[], Awaitable[None]],
) -> None:
    """Waits for the lease, runs ``work`` while it is held, calls ``lost`` when it is not."""
    config = electionconfig.Config(
        Lock(client, namespace, identity),
        lease_duration=_DURATION,
        renew_deadline=_RENEW_DEADLINE,
        retry_period=_RETRY,
        onstarted_leading=work,
        onstopped_leading=lost,
    )
    await leaderelection.LeaderElection(config).run()


async def release(client: Client, namespace: str, identity: str) -> None:
    """Gives the lease back, so that a stand-by need not wait until it runs out."""
    lock = Lock(client, namespace, identity)
    held, record = await lock.get(LEASE_NAME, namespace)
    if held and record.holder_identity == identity:
        await lock.update(LEASE_NAME, namespace, LeaderElectionRecord("", "1", None, None))


class Lock(BaseLock):  # type: ignore[misc]
    """A Lease, read and written with its resource version: who was slower gets a conflict."""

    def __init__(self, client: Client, namespace: str, identity: str) -> None:
        super().__init__(LEASE_NAME, namespace, identity)
        self._client = client
        self._version = ""

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """(True, record), or (False, the error as the election wants it)."""
        try:
            lease = await self._client.request("GET", f"{_path(namespace)}/{name}")
        except ApiError as error:
            body = json.dumps({"code": error.status, "message": error.message})
            return False, ApiException(status=error.status, reason=error.message, body=body)
        self._version = lease["metadata"]["resourceVersion"]
        return True, _record(lease["spec"])

    async def create(
        self, name: str, namespace: str, election_record: LeaderElectionRecord
    ) -> bool:
        return await self._write("POST", _path(namespace), name, namespace, election_record)

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        path = f"{_path(namespace)}/{name}"
        return await self._write("PUT", path, name, namespace, updated_record)

    async def _write(
        self, method: str, path: str, name: str, namespace: str, record: LeaderElectionRecord
    ) -> bool:
        metadata: Object = {"name": name, "namespace": namespace}
        if method == "PUT":
            metadata["resourceVersion"] = self._version
        body = {
            "apiVersion": _API_VERSION,
            "kind": "Lease",
            "metadata": metadata,
            "spec": _spec(record),
        }
        try:
            await self._client.request(method, path, body=body)
        except ApiError as error:
            log.warning("the lease could not be written: %s", error)
            return False
        return True


def _path(namespace: str) -> str:
    return f"/apis/{_API_VERSION}/namespaces/{namespace}/leases"


def _record(spec: Object) -> LeaderElectionRecord:
    """An empty holder is none: the lease was given back."""
    return LeaderElectionRecord(
        spec.get("holderIdentity") or None,
        str(spec.get("leaseDurationSeconds", "")) or None,
        spec.get("acquireTime"),
        spec.get("renewTime"),
    )


def _spec(record: LeaderElectionRecord) -> Object:
    """Times are MicroTime. The election gives local times without a zone; now is what is meant."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    acquired = record.acquire_time if "T" in str(record.acquire_time) else now
    return {
        "holderIdentity": record.holder_identity,
        "leaseDurationSeconds": int(record.lease_duration),
        "acquireTime": acquired,
        "renewTime": now,
    }
