"""Makes the live objects as desired, and writes nothing where they already are."""

from typing import Any

from martlet_operator.cluster.client import Client, Object
from martlet_operator.naming import digest_of

APPLIED = "martlet.dev/applied"
"""Annotation: the hash of what was applied. With it a field that is no longer desired is seen."""

CREATED_ONCE = frozenset({"Job", "ConfigMap"})
"""Belong to one run and never change within it; a Job's template could not."""


class Applier:
    """Remembers which applies changed nothing, so that the server's own spelling of a value
    (``1`` for ``1000m``) does not lead to a write at every pass."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._settled: dict[str, tuple[str, str]] = {}

    async def apply(self, desired: Object, live: Object | None) -> None:
        """Creates or corrects one object."""
        if live is None:
            await self._client.apply(stamp(desired))
        elif self.is_in_place(desired, live):
            return
        elif desired["kind"] in CREATED_ONCE:
            await self._suspend(desired, live)
        else:
            stamped = stamp(desired)
            self._remember(stamped, live, await self._client.apply(stamped))

    def is_in_place(self, desired: Object, live: Object | None) -> bool:
        """Whether nothing is to be written."""
        if live is None:
            return False
        if desired["kind"] in CREATED_ONCE:
            return _is_suspended_as_wanted(desired, live)
        stamped = stamp(desired)
        return is_applied(stamped, live) or self._is_settled(stamped, live)

    async def _suspend(self, desired: Object, live: Object) -> None:
        """The one field of a Job that follows the spec."""
        metadata, patch = live["metadata"], {"spec": {"suspend": desired["spec"]["suspend"]}}
        await self._client.merge("Job", metadata["namespace"], metadata["name"], patch)

    def _is_settled(self, stamped: Object, live: Object) -> bool:
        metadata = live["metadata"]
        known = self._settled.get(metadata["uid"])
        return known == (stamped["metadata"]["annotations"][APPLIED], metadata["resourceVersion"])

    def _remember(self, stamped: Object, live: Object, answer: Object) -> None:
        version = answer["metadata"]["resourceVersion"]
        if version == live["metadata"]["resourceVersion"]:
            mark = (stamped["metadata"]["annotations"][APPLIED], version)
            self._settled[live["metadata"]["uid"]] = mark


def _is_suspended_as_wanted(desired: Object, live: Object) -> bool:
    """So is whatever has nothing to suspend, or nothing left."""
    if desired["kind"] != "Job" or is_finished(live):
        return True
    return bool(live["spec"].get("suspend", False) == desired["spec"]["suspend"])


def is_finished(job: Object) -> bool:
    """Complete or failed: its pods are gone for good."""
    conditions = job.get("status", {}).get("conditions", [])
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True" for c in conditions)


def stamp(desired: Object) -> Object:
    """The object with the hash of itself as an annotation."""
    metadata = desired["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED: digest_of(desired)[:16]}
    return {**desired, "metadata": {**metadata, "annotations": annotations}}


def is_applied(stamped: Object, live: Object) -> bool:
    """Whether every desired field stands in the live object (its own defaults aside)."""
    return _contains(live, stamped)


def _contains(live: Any, desired: Any) -> bool:
    if isinstance(desired, dict):
        return isinstance(live, dict) and all(
            key in live and _contains(live[key], value) for key, value in desired.items()
        )
    if isinstance(desired, list):
        return (
            isinstance(live, list)
            and len(live) == len(desired)
            and all(_contains(a, b) for a, b in zip(live, desired, strict=True))
        )
    return bool(live == desired)
