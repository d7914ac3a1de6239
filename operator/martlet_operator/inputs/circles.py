"""Resources that wait for each other in a circle wait for ever."""

from typing import Any

from martlet_api.conditions import Reason
from martlet_operator.conditions.fold import Ready
from martlet_operator.inputs.references import (
    Reference,
    References,
    gates_of,
    reference_of,
    service_of,
)
from martlet_operator.inputs.services import KIND as SERVICE
from martlet_operator.inputs.services import revisions

Object = dict[str, Any]


def circular(kind: str, name: str, references: References) -> Ready | None:
    """The condition of a resource that waits for itself."""
    way = circle((kind, name), references)
    if way is None:
        return None
    steps = " -> ".join("/".join(step) for step in way)
    text = f"The references form a circle: {steps}. {_mend(way)}"
    return Ready("False", Reason.CIRCULAR_REFERENCE, text)


def circle(start: Reference, references: References) -> list[Reference] | None:
    """The way from a resource back to itself by what each waits for, if there is one."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop()
        for step in _waits_for(references.get(way[-1])):
            if step == start:
                return [*way, start]
            if step not in seen:
                seen.add(step)
                ways.append([*way, step])
    return None


def _waits_for(target: Object | None) -> list[Reference]:
    """A service that has a revision may wait for its gates as well, but whoever asks it does
    not."""
    gates = gates_of(target)
    if target and gates and revisions(target):
        gates = []
    return [step for step in (reference_of(target), service_of(target), *gates) if step]


def _mend(way: list[Reference]) -> str:
    service = next((name for kind, name in way if kind == SERVICE), None)
    if service is None:
        return "Let one of them name a uri."
    return (
        f"{SERVICE} {service} serves nothing before its gates have passed. Let its spec.gates name "
        "an EvalRun of the model itself (spec.model), or leave that gate out."
    )
