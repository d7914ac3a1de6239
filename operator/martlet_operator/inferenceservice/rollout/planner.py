"""Whether another revision's pods find room, and at what cost. Pure.

A service of n pods has room for n + spare at once. Its canary may have all but one of them, so that
one stable pod is always there to go back to; the stable revision gives up as many as do not fit.
With no room for even one more pod than one, nothing can be rolled out: that is said, with numbers,
rather than waited for.
"""

from typing import Literal

from martlet_api.conditions import Reason
from martlet_operator.conditions.fold import Ready

Strategy = Literal["Auto", "Surge", "Replace"]


def spare(strategy: Strategy, wanted: int, free: int | None) -> int | Ready | None:
    """Pods beside the ``wanted`` ones, None for as many again; or why it cannot begin. ``free`` is
    for how many pods there are accelerators, None where that is not known or none are needed."""
    room = 0 if strategy == "Replace" else free
    if room is None or room >= wanted:
        return None
    if strategy == "Surge":
        text = f"{_needs(wanted, room)} Free some, or set spec.rollout.strategy to Auto or Replace."
        return Ready("Unknown", Reason.NO_ROOM, text)
    if wanted + room < 2:
        text = (
            f"{_needs(1, room)} Replacing the only pod would leave nothing to serve and nothing to "
            "go back to. Free an accelerator, or set spec.replicas to 2 for the rollout."
        )
        return Ready("Unknown", Reason.NO_ROOM, text)
    return room


def cost(wanted: int, room: int | None) -> str | None:
    """A sentence on what a rollout costs, None where it costs nothing but accelerators."""
    if room is None:
        return None
    least = min(wanted, wanted + room - 1)
    return (
        f"There is room for {room} pods beside the {wanted} that serve: until it ends, the "
        f"revision that has all requests has {least} of {wanted} pods."
    )


def _needs(pods: int, room: int) -> str:
    return f"Another revision needs accelerators for {pods} more pods, and there are for {room}."
