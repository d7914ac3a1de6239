"""What a rollout is, what is seen of it in a pass, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from martlet_api.conditions import Reason
from martlet_operator.conditions.fold import Ready

Verdict = Literal["Pass", "Fail", "Insufficient", "NoData", "ProviderError"]
State = Literal["Loading", "Stepping", "Promoting", "Baking", "RollingBack"]


@dataclass(frozen=True)
class Candidate:
    """The revision that the spec asks for, and the digest of its model."""

    revision: str
    digest: str


@dataclass(frozen=True)
class Failure:
    """Why a canary goes back. One that was ``withdrawn`` may come again: nothing was wrong with
    it."""

    reason: Reason
    message: str
    withdrawn: bool = False


@dataclass(frozen=True)
class Rollout:
    """A revision on its way beside the stable one; the stable one is ``None`` for the first.

    ``step`` counts the steps from 0. ``weight`` is the canary's share in percent that the gateway
    is asked for; ``since`` is when the gateway was first seen to have it, None until then.
    ``requests`` were answered by the canary in this step. ``unready_since`` is when its last pod
    ceased to be ready after it had been. ``exposed_at`` is when it was first given requests.
    ``spare`` is for how many pods there was room beside the stable one's when it began; None: for
    all.
    """

    revision: str
    digest: str
    stable: str | None
    started_at: datetime
    state: State = "Loading"
    step: int = 0
    weight: int = 0
    since: datetime | None = None
    requests: int = 0
    unready_since: datetime | None = None
    exposed_at: datetime | None = None
    spare: int | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Seen:
    """What a pass sees.

    ``wanted`` is None while what the spec asks for is not known. ``ready`` counts ready pods by
    revision. ``taken`` are the weights that the gateway has taken, by revision; None where it has
    not taken the route as it is now. ``trouble`` is what the canary's pods died of, ``unpulled``
    why an image of theirs is not there. ``held`` is why the canary may not go on, ``barred`` why it
    may not stay. ``requests`` were answered by the canary since the pass before. ``verdicts`` are
    the guards', with a sentence each.
    """

    wanted: Candidate | None
    ready: Mapping[str, int]
    taken: Mapping[str, int] | None
    trouble: Failure | None = None
    unpulled: Failure | None = None
    held: Ready | None = None
    barred: Failure | None = None
    requests: int = 0
    verdicts: Mapping[str, tuple[Verdict, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """What comes of a pass: the rollout, or None where it is over and ``ended`` says how."""

    rollout: Rollout | None
    ended: Literal["Promoted", "RolledBack", "Withdrawn"] | None = None
    failure: Failure | None = None
