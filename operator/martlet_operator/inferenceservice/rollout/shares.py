"""How many requests and how many pods each revision gets. Pure."""

from math import ceil

from martlet_api.canary import Canary
from martlet_operator.inferenceservice.rollout.state import Rollout, Seen


def pods_of(weight: int, replicas: int) -> int:
    """Pods that carry ``weight`` percent at the load that a pod has otherwise; one at least."""
    return max(1, ceil(replicas * weight / 100))


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


def replicas(spec: Canary | None, wanted: int, rollout: Rollout) -> dict[str, int]:
    """Pods of each revision: the stable one keeps all of them, so that going back needs none."""
    steps = spec.steps if spec and rollout.stable else []
    full = rollout.step >= len(steps)
    own = wanted if full else pods_of(steps[rollout.step].weight, wanted)
    return {rollout.revision: own, **({rollout.stable: wanted} if rollout.stable else {})}
