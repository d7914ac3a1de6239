"""The claim in which a namespace keeps what its pods bring."""

import logging
from dataclasses import dataclass
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from martlet_api import labels

Object = dict[str, Any]

log = logging.getLogger(__name__)

ENABLED = "enabled"
_SHARE = 0.9
"""Of a claim's size, where its owner says nothing of a limit: file systems need room themselves."""


@dataclass(frozen=True)
class Cache:
    """``limit`` is in bytes."""

    claim: str
    limit: int


def cache_of(claims: list[Object]) -> Cache | None:
    """The first by name of the claims that are labelled as caches, are not being deleted, and have
    a limit that can be read."""
    for claim in sorted(claims, key=lambda c: str(c["metadata"]["name"])):
        if "deletionTimestamp" not in claim["metadata"] and (limit := _limit(claim)):
            return Cache(claim["metadata"]["name"], limit)
    return None


def _limit(claim: Object) -> int | None:
    metadata = claim["metadata"]
    said = metadata.get("annotations", {}).get(labels.CACHE_LIMIT)
    try:
        if said is not None:
            return int(parse_quantity(said))
        return int(float(parse_quantity(_size(claim))) * _SHARE)
    except (ValueError, KeyError) as error:
        log.warning(
            "PersistentVolumeClaim %s/%s is not used as a cache: its limit cannot be read (%s). "
            "Correct its annotation %s, such as 400Gi.",
            metadata["namespace"],
            metadata["name"],
            error,
            labels.CACHE_LIMIT,
        )
        return None


def _size(claim: Object) -> str:
    """What was made, where it is bound; else what was asked for."""
    capacity: dict[str, str] = claim.get("status", {}).get("capacity", {})
    requested: dict[str, str] = claim["spec"]["resources"]["requests"]
    return capacity.get("storage") or requested["storage"]
