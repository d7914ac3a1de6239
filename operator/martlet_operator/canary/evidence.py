"""The evidence of one guard, and how it is kept: small enough for a status.

All names are one word, so that they are the same in Python and in Kubernetes. Numbers are rounded
where they are made (betting, dispersion), so that what is read is exactly what was written, and a
restart changes nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from martlet_operator.canary.betting import opening
from martlet_operator.canary.dispersion import Dispersion, Scale
from martlet_operator.canary.guards import SIDES, Guard, claims
from martlet_operator.canary.track import Track


@dataclass(frozen=True, slots=True)
class Waiting:
    """The stable revision's histogram until edges can be chosen: the finite edges, and the counts
    with infinity's last."""

    edges: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """``until`` is the end of the last window that was counted, in Unix seconds; ``error`` says why
    the guard cannot be read, and is empty if it can."""

    until: float = 0.0
    tracks: tuple[Track, ...] = ()
    waiting: Waiting = field(default_factory=Waiting)
    error: str = ""


def failed(evidence: Evidence, error: str) -> Evidence:
    """The metrics could not be read. What is known stays known."""
    return replace(evidence, error=error)


def written(evidence: Evidence) -> dict[str, Any]:
    """As JSON."""
    return asdict(evidence)


def read(guard: Guard, status: Mapping[str, Any]) -> Evidence:
    """What ``written`` gave, or an older or newer operator did: fields that are not known are left
    out, those that are not there are as at the beginning, and a claim with other alternatives than
    these begins anew (with less evidence, never with more)."""
    waiting = status.get("waiting", {})
    return Evidence(
        status.get("until", 0.0),
        tuple(_track(guard, track) for track in status.get("tracks", ())),
        Waiting(tuple(waiting.get("edges", ())), tuple(waiting.get("counts", ()))),
        status.get("error", ""),
    )


def _track(guard: Guard, status: Mapping[str, Any]) -> Track:
    allowed = status.get("allowed", 0.0)
    stakes = {}
    for claim in claims(guard, allowed):
        begun, found = opening(SIDES[claim]), tuple(status.get("stakes", {}).get(claim, ()))
        stakes[claim] = found if len(found) == len(begun) else begun
    dispersion = status.get("dispersion", {})
    return Track(
        status.get("edge", 0.0),
        allowed,
        status.get("windows", 0),
        _pair(status, "events"),
        _pair(status, "requests"),
        _pair(status, "recent"),
        Dispersion(_scale(dispersion.get("fine", {})), _scale(dispersion.get("coarse", {}))),
        stakes,
    )


def _scale(status: Mapping[str, Any]) -> Scale:
    block = status.get("open", (0.0, 0.0, 0.0))
    return Scale(
        status.get("pairs", 0),
        status.get("sum", 0.0),
        status.get("weight", 0.0),
        _pair(status, "last"),
        (block[0], block[1], block[2]),
    )


def _pair(status: Mapping[str, Any], name: str) -> tuple[float, float]:
    found = status.get(name, (0.0, 0.0))
    return found[0], found[1]
