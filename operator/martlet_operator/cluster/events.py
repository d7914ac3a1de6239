"""Kubernetes Events, for ``kubectl describe``."""

from datetime import datetime

from martlet_operator.cluster.client import Client, Object
from martlet_operator.naming import digest_of

COMPONENT = "martlet"
_MESSAGE_LIMIT = 1024


def event(regarding: Object, kind: str, reason: str, message: str, now: datetime) -> Object:
    """A ``v1`` Event about a resource of ours; ``kind`` is Normal or Warning."""
    metadata = regarding["metadata"]
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"{metadata['name']}.{digest_of([metadata['uid'], reason, message, stamp])[:16]}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": kind,
        "reason": reason,
        "message": message[:_MESSAGE_LIMIT],
        "source": {"component": COMPONENT},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


async def record(client: Client, new: Object) -> None:
    """Writes the Event."""
    await client.create(new)
