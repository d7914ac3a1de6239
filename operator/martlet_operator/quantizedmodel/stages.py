"""What comes next of a compressing run: the ladder, then the serving engine, and only what has
answered there is the artifact. Pure."""

from martlet_api.quantizedmodel import QuantizedModelStatus
from martlet_operator.batch.kind import Finished, Known, Outcome, Pass, Work
from martlet_operator.quantizedmodel import desired, status, verifying


def following(at: Pass) -> Work | Outcome:
    own: QuantizedModelStatus = at.status
    if status.has_ended(own, at.run):
        return status.outcome(at.spec, own)
    if own.candidate is None:
        return desired.work(at)
    return verifying.work(at, own.candidate)


def taken(stage: str, at: Pass, finished: Finished) -> Known:
    """What a stage that is done came to."""
    if stage == desired.STAGE:
        return Known(status.compressed(finished))
    return Known(status.verified(at.status, finished))
