"""What the leader does: watches, workers, and a resync for what a watch may have missed."""

import asyncio

import kopf

from martlet_api.kinds import KINDS
from martlet_operator import handlers
from martlet_operator.cluster.client import Client
from martlet_operator.reconcile.dependents import Dependents
from martlet_operator.reconcile.kept import Kept
from martlet_operator.reconcile.loop import Workers
from martlet_operator.reconcile.queue import Key, WorkQueue
from martlet_operator.reconcile.reconciler import Reconciler
from martlet_operator.settings import Settings


async def work(
    client: Client, settings: Settings, queue: WorkQueue, stopped: asyncio.Event
) -> None:
    """Runs until it is cancelled or a part of it dies: then the process ends, and the next one
    starts from what the API server says."""
    dependents, kept = Dependents(), Kept()
    registry = kopf.OperatorRegistry()
    handlers.register(registry, queue, dependents, kept)
    reconciler = Reconciler(client, settings, dependents, kept)
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(registry, settings, stopped))
        group.create_task(Workers(queue, reconciler.reconcile, settings.workers).run())
        group.create_task(_resync(client, settings, queue))


async def _watch(
    registry: kopf.OperatorRegistry, settings: Settings, stopped: asyncio.Event
) -> None:
    await kopf.operator(
        registry=registry,
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
    )
    # kopf takes the signals for itself: that it ended well means that we were told to stop.
    stopped.set()


async def _resync(client: Client, settings: Settings, queue: WorkQueue) -> None:
    while True:
        for key in await all_keys(client, settings):
            queue.add(key)
        await asyncio.sleep(settings.resync_period)


async def all_keys(client: Client, settings: Settings) -> list[Key]:
    """The keys of all resources of ours that this operator looks after."""
    scopes: tuple[str | None, ...] = settings.namespaces or (None,)
    return [
        Key(kind, item["metadata"]["namespace"], item["metadata"]["name"])
        for kind in KINDS
        for scope in scopes
        for item in await client.list(kind, scope)
    ]
