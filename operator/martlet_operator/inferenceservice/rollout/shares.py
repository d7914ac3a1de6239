"""How many requests and how many pods each revision gets. Pure."""

from math import ceil

from martlet_api.canary import Canary
from martlet_operator.inferenceservice.rollout.state import Rollout, Seen


def pods_of(weight: int, wanted: int, spare: int | None = None) -> int:
    """Pods that carry ``weight`` percent at the load that a pod has otherwise; one at least. Where
    only ``spare`` pods have room beside the ``wanted`` ones, one of the stable revision's stays."""
    most = wanted if spare is None else min(wanted, wanted + spare - 1)
    return max(1, min(most, ceil(wanted * weight / 100)))


def replicas(spec: Canary | None, wanted: int, rollout: Rollout) -> dict[str, int]:
    """Pods of each revision. The stable one keeps all of them where there is room for both, so that
    going back needs none."""
    if rollout.stable is None:
        return {rollout.revision: wanted}
    steps = spec.steps if spec else []
    weight = steps[rollout.step].weight if rollout.step < len(steps) else 100
    own = pods_of(weight, wanted, rollout.spare)
    left = wanted if rollout.spare is None else min(wanted, wanted + rollout.spare - own)
    return {rollout.revision: own, rollout.stable: left}


def weight_of(rollout: Rollout, seen: Seen, asked: int) -> int:
    """The canary's weight: ``asked``, but what has no ready pod gets no requests while the other
    has one. A canary that never had weight takes no requests over."""
    ready = seen.ready.get(rollout.revision, 0)
    if not ready:
        return 0
    stable_is_down = rollout.stable is not None and not seen.ready.get(rollout.stable, 0)
    return 100 if stable_is_down and rollout.weight else asked


def weights(rollout: Rollout) -> dict[str, int]:
    """Of all revisions that requests may reach, in percent of them."""
    if rollout.stable is None:
        return {rollout.revision: 100}
    return {rollout.stable: 100 - rollout.weight, rollout.revision: rollout.weight}
