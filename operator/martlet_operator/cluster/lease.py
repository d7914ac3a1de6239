"""Leader election by Lease: one operator works, others stand by."""

import logging
from collections.abc import Awaitable, Callable

from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from martlet_operator.cluster.client import Client
from martlet_operator.errors import ApiError

log = logging.getLogger(__name__)

LEASE_NAME = "martlet-operator"
_DURATION, _RENEW_DEADLINE, _RETRY = 15, 10, 2


async def lead(
    client: Client,
    namespace: str,
    identity: str,
    work: Callable[[], Awaitable[None]],
    lost: Callable[[], Awaitable[None]],
) -> None:
    """Waits for the lease, runs ``work`` while it is held, calls ``lost`` when it is not."""
    config = electionconfig.Config(
        LeaseLock(LEASE_NAME, namespace, identity, client.api),
        lease_duration=_DURATION,
        renew_deadline=_RENEW_DEADLINE,
        retry_period=_RETRY,
        onstarted_leading=work,
        onstopped_leading=lost,
    )
    await leaderelection.LeaderElection(config).run()


async def release(client: Client, namespace: str, identity: str) -> None:
    """Gives the lease back, so that a stand-by need not wait until it runs out."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE_NAME}"
    try:
        lease = await client.request("GET", path)
        if lease["spec"].get("holderIdentity") != identity:
            return
        released = {"spec": {"holderIdentity": identity, "leaseDurationSeconds": 1}}
        await client.request(
            "PATCH", path, body=released, content_type="application/merge-patch+json"
        )
    except ApiError as error:
        log.warning("the lease could not be given back: %s", error)
