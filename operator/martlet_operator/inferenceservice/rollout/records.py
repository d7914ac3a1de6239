"""The rollout as the status keeps it, and what was rejected. Pure."""

from datetime import datetime

from martlet_api.conditions import Reason
from martlet_api.inferenceservice import (
    CanaryRevision,
    GuardEvidence,
    InferenceServiceStatus,
    RejectedRevision,
)
from martlet_api.inferenceservice import Failure as ToldFailure
from martlet_operator.conditions.fold import timestamp
from martlet_operator.inferenceservice.rollout.state import Candidate, Failure, Rollout

_KEPT = 10
_MESSAGE = 2000


def rollout_of(status: InferenceServiceStatus) -> Rollout | None:
    """What is on its way, as it was written last."""
    told = status.canary
    if told is None:
        return None
    return Rollout(
        revision=told.revision,
        digest=told.digest,
        stable=status.stable.revision if status.stable else None,
        started_at=datetime.fromisoformat(told.started_at),
        state=told.state,
        step=max(0, told.step - 1),
        weight=told.weight or 0,
        since=_time(told.since),
        requests=told.requests,
        unready_since=_time(told.unready_since),
        exposed_at=_time(told.exposed_at),
        spare=told.spare,
        failure=_failure(told.failure),
    )


def told(rollout: Rollout, ready: int, evidence: list[GuardEvidence]) -> CanaryRevision:
    failure = rollout.failure
    return CanaryRevision(
        revision=rollout.revision,
        digest=rollout.digest,
        ready_replicas=ready,
        weight=rollout.weight,
        state=rollout.state,
        step=0 if rollout.state == "Loading" else rollout.step + 1,
        started_at=timestamp(rollout.started_at),
        since=rollout.since and timestamp(rollout.since),
        requests=rollout.requests,
        unready_since=rollout.unready_since and timestamp(rollout.unready_since),
        exposed_at=rollout.exposed_at and timestamp(rollout.exposed_at),
        evidence=evidence,
        spare=rollout.spare,
        failure=failure
        and ToldFailure(
            reason=failure.reason, message=failure.message[:_MESSAGE], withdrawn=failure.withdrawn
        ),
    )


def begin(
    candidate: Candidate, stable: str | None, now: datetime, spare: int | None = None
) -> Rollout:
    return Rollout(candidate.revision, candidate.digest, stable, started_at=now, spare=spare)


def rejection(rollout: Rollout, failure: Failure, retry: str, now: datetime) -> RejectedRevision:
    return RejectedRevision(
        revision=rollout.revision,
        digest=rollout.digest,
        pins="Digest" if rollout.exposed_at else "Revision",
        retry=retry,
        reason=failure.reason,
        message=failure.message[:_MESSAGE],
        at=timestamp(now),
    )


def with_rejection(
    former: list[RejectedRevision] | None, new: RejectedRevision
) -> list[RejectedRevision]:
    return [new, *(former or [])][:_KEPT]


def why_rejected(
    status: InferenceServiceStatus, candidate: Candidate, retry: str
) -> RejectedRevision | None:
    """Why a revision must not be tried. What serves already is not rejected with its digest: a
    canary of the same model may have failed by its arguments."""
    serves = status.stable is not None and status.stable.digest == candidate.digest
    for entry in status.rejected or []:
        same_model = entry.pins == "Digest" and entry.digest == candidate.digest and not serves
        if entry.retry == retry and (entry.revision == candidate.revision or same_model):
            return entry
    return None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _failure(told: ToldFailure | None) -> Failure | None:
    return Failure(Reason(told.reason), told.message, told.withdrawn) if told else None
