"""What a guard's evidence amounts to, and what all guards' verdicts do together."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import log

from martlet_operator.canary.betting import AT_LEAST, AT_MOST, log_evidence, reaches
from martlet_operator.canary.evidence import Evidence
from martlet_operator.canary.guards import PASSING, SIDES, TOLERATED, Claim
from martlet_operator.canary.track import Track


class Verdict(StrEnum):
    """Only FAIL rolls back; only PASS advances."""

    PASS = "Pass"  # noqa: S105
    FAIL = "Fail"
    INSUFFICIENT = "Insufficient"
    NO_DATA = "NoData"
    PROVIDER_ERROR = "ProviderError"


_GRAVEST = (
    Verdict.FAIL,
    Verdict.PROVIDER_ERROR,
    Verdict.NO_DATA,
    Verdict.INSUFFICIENT,
    Verdict.PASS,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the evidence has come on the way to each verdict: 1 and more is there."""

    fail: float
    passing: float


def verdict(evidence: Evidence, alpha: float) -> Verdict:
    """``alpha`` is the guard's own part. A failure stands although the metrics are gone now."""
    if _failed(evidence.tracks, alpha):
        return Verdict.FAIL
    if evidence.error:
        return Verdict.PROVIDER_ERROR
    if not any(track.windows for track in evidence.tracks):
        return Verdict.NO_DATA
    passed = all(reaches(_within(track), PASSING) for track in evidence.tracks)
    return Verdict.PASS if passed else Verdict.INSUFFICIENT


def _failed(tracks: tuple[Track, ...], alpha: float) -> bool:
    """All claims that the canary is bad must hold, and there must be one."""
    claims = _accusing(tracks)
    return bool(claims) and all(
        reaches(_beyond(tracks, claim), _level(claim, alpha)) for claim in claims
    )


def _accusing(tracks: tuple[Track, ...]) -> list[str]:
    return [claim for claim in tracks[0].stakes if SIDES[claim] is AT_MOST] if tracks else []


def _level(claim: str, alpha: float) -> float:
    return alpha if claim in (Claim.WORSE, Claim.OVER_LIMIT) else TOLERATED


def _beyond(tracks: tuple[Track, ...], claim: str) -> list[tuple[float, ...]]:
    """At some edge: the mean over edges is an e-value, however they hang together."""
    return [track.stakes[claim] for track in tracks]


def _within(track: Track) -> list[tuple[float, ...]]:
    """Within either bound: the mean over both."""
    return [s for claim, s in track.stakes.items() if SIDES[claim] is AT_LEAST]


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Of all guards: the gravest. Without a guard there is nothing to fail."""
    found = set(verdicts)
    return next((grave for grave in _GRAVEST if grave in found), Verdict.PASS)


def progress(evidence: Evidence, alpha: float) -> Progress:
    """The parts of the log evidence that is needed: of all claims the least, as all are needed."""
    tracks = evidence.tracks
    failing = [
        log_evidence(_beyond(tracks, claim)) / -log(_level(claim, alpha))
        for claim in _accusing(tracks)
    ]
    passing = [log_evidence(_within(track)) / -log(PASSING) for track in tracks]
    return Progress(min(failing, default=0.0), min(passing, default=0.0))
