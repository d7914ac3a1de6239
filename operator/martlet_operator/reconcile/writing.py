"""Makes the objects of a resource as a decision wants them."""

from typing import Any

from martlet_operator.cluster.apply import Applier
from martlet_operator.cluster.client import Client
from martlet_operator.errors import NameTaken, NotFound
from martlet_operator.reconcile.decision import Decision, pruned
from martlet_operator.reconcile.snapshot import Snapshot

Object = dict[str, Any]


class Writer:
    """Raises the errors of ``martlet_operator.errors`` as the API server answers."""

    def __init__(self, client: Client) -> None:
        self._client, self._applier = client, Applier(client)

    def is_done(self, snapshot: Snapshot, decision: Decision) -> bool:
        """Whether all objects are as wanted."""
        applied = (
            self._applier.is_in_place(desired, _live(snapshot, desired))
            for desired in decision.desired
        )
        scaled = (
            _has_replicas(snapshot.owned_object("Deployment", name), count)
            for name, count in decision.replicas.items()
        )
        return all(applied) and all(scaled) and not pruned(decision, snapshot.owned)

    async def write(self, snapshot: Snapshot, decision: Decision) -> None:
        """Creates, corrects, scales, and deletes what is neither desired nor kept."""
        for desired in decision.desired:
            live = _live(snapshot, desired)
            if live is None:
                await self._check_free(desired)
            await self._apply(desired, live)
        for name, count in decision.replicas.items():
            await self._scale(snapshot.owned_object("Deployment", name), count)
        for stale in pruned(decision, snapshot.owned):
            await self._client.delete(stale)

    async def _scale(self, live: Object | None, count: int) -> None:
        if live is None or _has_replicas(live, count):
            return
        metadata = live["metadata"]
        patch = {"spec": {"replicas": count}}
        await self._client.merge("Deployment", metadata["namespace"], metadata["name"], patch)

    async def _apply(self, desired: Object, live: Object | None) -> None:
        try:
            await self._applier.apply(desired, live)
        except NotFound as error:
            kind = f"{desired['kind']} ({desired['apiVersion']})"
            text = f"{kind} cannot be made: {error.message}. Install it, or do without it."
            raise NotFound(404, text) from error

    async def _check_free(self, desired: Object) -> None:
        """An object of that name that is somebody else's is left alone."""
        metadata = desired["metadata"]
        found = await self._client.get(desired["kind"], metadata["namespace"], metadata["name"])
        if found and not _has_labels(found, metadata["labels"]):
            raise NameTaken(
                409,
                f"{desired['kind']} {metadata['name']} exists already and is not Martlet's. "
                "Remove it, or give this resource another name.",
            )


def _live(snapshot: Snapshot, desired: Object) -> Object | None:
    return snapshot.owned_object(desired["kind"], desired["metadata"]["name"])


def _has_replicas(live: Object | None, count: int) -> bool:
    """A Deployment that is gone has nothing to scale."""
    return live is None or bool(live["spec"].get("replicas") == count)


def _has_labels(item: Object, labels: dict[str, str]) -> bool:
    own = item["metadata"].get("labels", {})
    return all(own.get(key) == value for key, value in labels.items())
