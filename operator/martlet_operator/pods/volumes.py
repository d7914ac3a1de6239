"""Volumes of a pod: the claims that its URIs name, and the scratch space."""

from collections.abc import Iterable
from typing import Any

from martlet_api.contract import CACHE_PATH, INPUTS_PATH, VOLUMES_PATH, WORK_PATH
from martlet_operator.inputs.cache import Cache
from martlet_operator.naming import digest_of

Object = dict[str, Any]

PLAN = "plan"
_PLAN_FOLDER = "/etc/martlet"


def claim_of(uri: str) -> str | None:
    """The claim that a ``pvc://CLAIM/PATH`` names; None for other schemes."""
    scheme, _, rest = uri.partition("://")
    return rest.split("/", 1)[0] if scheme == "pvc" else None


def claims_of(uris: Iterable[str]) -> list[str]:
    """The claims of some URIs, each once, sorted."""
    return sorted({claim for uri in uris if (claim := claim_of(uri))})


def volumes(plan_name: str, claims: Iterable[str], cache: Cache | None = None) -> list[Object]:
    """The plan, scratch space, and every claim, the cache's too. A claim is one volume of a pod,
    however often it is mounted."""
    named = sorted({*claims, *([cache.claim] if cache else [])})
    return [
        {"name": PLAN, "configMap": {"name": plan_name}},
        {"name": "inputs", "emptyDir": {}},
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
        *({"name": _name(c), "persistentVolumeClaim": {"claimName": c}} for c in named),
    ]


def mounts(
    claims: Iterable[str],
    cache: Cache | None = None,
    *,
    writable: str | None = None,
    brings: bool = False,
) -> list[Object]:
    """All mounts of one container; claims are read-only but the ``writable`` one. Only the one that
    ``brings`` inputs writes to where they lie, and to the cache."""
    return [
        {"name": PLAN, "mountPath": _PLAN_FOLDER, "readOnly": True},
        {"name": "inputs", "mountPath": INPUTS_PATH, "readOnly": not brings},
        {"name": "work", "mountPath": WORK_PATH},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod's own
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
        *(
            {"name": _name(c), "mountPath": f"{VOLUMES_PATH}/{c}", "readOnly": c != writable}
            for c in claims
        ),
        *([_cache_mount(cache, writable=brings)] if cache else []),
    ]


def _cache_mount(cache: Cache, *, writable: bool) -> Object:
    return {"name": _name(cache.claim), "mountPath": CACHE_PATH, "readOnly": not writable}


def _name(claim: str) -> str:
    """A volume's name is a DNS label; a claim's may have dots and 253 characters."""
    name = f"claim-{claim}"
    return name if len(name) <= 63 and "." not in name else f"claim-{digest_of(claim)[:16]}"
