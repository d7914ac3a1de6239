"""How long it took from a candidate's first bad answer until the gateway sent it nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rollouts.load import Record, Records
from rollouts.timeline import Route, Timeline


@dataclass(frozen=True)
class GoingBack:
    """Seconds, one after another: until the guards' last window closed (``evidence``; None where
    the pods themselves told), until the route was written with weight 0 (``decision``, from the
    first bad answer where there is no evidence), until the gateway had taken it (``observed``), and
    from then until the last bad answer came (``last``, 0 where none did)."""

    evidence: float | None
    decision: float
    observed: float
    last: float

    @property
    def whole(self) -> float:
        return (self.evidence or 0.0) + self.decision + self.observed + self.last

    def __str__(self) -> str:
        evidence = "" if self.evidence is None else f"evidence {self.evidence:.2f} s, "
        return (
            f"{self.whole:.2f} s from the first bad answer: {evidence}decision {self.decision:.2f} "
            f"s, gateway {self.observed:.2f} s, last bad answer {self.last:.2f} s"
        )


def going_back(timeline: Timeline, records: Records, name: str) -> GoingBack | None:
    """Of the candidate of this name; None where nothing was bad, or it never went back."""
    bad = sorted(_end(record) for record in records.all if _is_bad(record, name))
    applied = _without(timeline, name, accepted=False)
    observed = _without(timeline, name, accepted=True)
    if not bad or applied is None or observed is None:
        return None
    windows = [s.evidence_until for s in timeline.statuses if s.evidence_until]
    closed = [until for until in windows if bad[0] <= until <= applied]
    begin = max(closed, default=bad[0])
    return GoingBack(
        evidence=begin - bad[0] if closed else None,
        decision=applied - begin,
        observed=observed - applied,
        last=max(0.0, bad[-1] - observed),
    )


def _is_bad(record: Record, name: str) -> bool:
    """A lost request has no name: it is counted whoever lost it."""
    return record.lost or (record.revision == name and not record.right)


def _end(record: Record) -> float:
    return record.started + record.took


def _without(timeline: Timeline, name: str, *, accepted: bool) -> float | None:
    """When the route was last seen to change from some weight of the candidate to none: as it was
    written, or as the gateway had taken it."""
    at, had = None, False
    for route in timeline.routes:
        if accepted and not route.accepted:
            continue
        has = _weight(timeline, route, name) > 0
        if had and not has:
            at = route.at
        had = has
    return at


def _weight(timeline: Timeline, route: Route, name: str) -> int:
    return sum(w for revision, w in route.weights.items() if timeline.name(revision) == name)
