"""What ``from`` names: a model once it is there, or what it waits for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from martlet_api.conditions import Condition, ConditionType, Reason
from martlet_api.references import ModelReference, TrainedModelReference
from martlet_api.runs import ModelArtifact
from martlet_operator.conditions.fold import Ready, find
from martlet_operator.inputs.models import KnownModel, from_artifact

Object = dict[str, Any]
References = Mapping[tuple[str, str], Object | None]
"""(kind, name) to the live object, None where it does not exist."""

_REWARD = "reward-"
"""How the formats of reward models begin."""
MODEL_FIELDS = ("model", "baseline")
"""Fields of specs that may name a model of another resource's."""
_CONDITIONS = TypeAdapter(list[Condition])


@dataclass(frozen=True)
class Waiting:
    """The condition to show meanwhile."""

    ready: Ready


def referenced_model(
    reference: TrainedModelReference | ModelReference, references: References
) -> KnownModel | Waiting:
    """The artifact of another resource, or why there is none yet."""
    title = f"{reference.kind} {reference.name}"
    target = references.get((reference.kind, reference.name))
    if target is None:
        return _waiting(
            Reason.REFERENCE_NOT_FOUND,
            f"{title} does not exist in this namespace. Create it, and this goes on by itself; "
            "or correct spec.model.from.",
        )
    artifact = target.get("status", {}).get("artifact")
    if artifact and artifact["format"].startswith(_REWARD):
        return _waiting(
            Reason.REFERENCE_FAILED,
            f"{title} makes a reward model, which gives numbers and no answers. Name another "
            "resource in spec.model.from.",
        )
    if artifact:
        made = ModelArtifact.model_validate(artifact)
        return from_artifact(made, title.replace(" ", "/"), _secrets(target))
    return _without_artifact(title, ready_of(target))


def _without_artifact(title: str, ready: Condition | None) -> Waiting:
    if ready and ready.status == "False":
        return _waiting(
            Reason.REFERENCE_FAILED,
            f"{title} has made nothing ({ready.reason}): {ready.message} Mend it, and this goes "
            "on by itself.",
        )
    state = ready.reason if ready else "not looked at yet"
    return _waiting(
        Reason.WAITING_FOR_REFERENCE,
        f"Waits for the artifact of {title} ({state}); goes on by itself.",
    )


def ready_of(target: Object) -> Condition | None:
    """The Ready condition of a live resource."""
    conditions = _CONDITIONS.validate_python(target.get("status", {}).get("conditions", []))
    return find(conditions, ConditionType.READY)


def circle(kind: str, name: str, references: References) -> list[str] | None:
    """The way from a resource back to itself by ``from``, if there is one."""
    path = [f"{kind}/{name}"]
    step = reference_of(references.get((kind, name)))
    while step and f"{step[0]}/{step[1]}" not in path:
        path.append(f"{step[0]}/{step[1]}")
        step = reference_of(references.get(step))
    if step and f"{step[0]}/{step[1]}" == path[0]:
        return [*path, path[0]]
    return None


def reference_of(target: Object | None, field: str = "model") -> tuple[str, str] | None:
    """(kind, name) that a live resource's ``spec.model.from`` names, or another field's."""
    reference = ((target or {}).get("spec", {}).get(field) or {}).get("from")
    return (reference["kind"], reference["name"]) if reference else None


def _secrets(target: Object) -> tuple[str, ...]:
    """The Secret that brings the base of what a FineTuneJob made."""
    secret = (target["spec"]["model"].get("secretRef") or {}).get("name")
    return (secret,) if secret else ()


def _waiting(reason: Reason, message: str) -> Waiting:
    return Waiting(Ready("Unknown", reason, message))
