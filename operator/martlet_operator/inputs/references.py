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
Reference = tuple[str, str]
"""(kind, name) of a resource of the namespace."""
References = Mapping[Reference, Object | None]
"""To the live object, None where it does not exist."""

_REWARD = "reward-"
"""How the formats of reward models begin."""
MODEL_FIELDS = ("model", "baseline")
"""Fields of specs that may name a model of another resource's."""
_CONDITIONS = TypeAdapter(list[Condition])


@dataclass(frozen=True)
class Waiting:
    """The condition to show meanwhile. ``keep``: what a run began on it may go on."""

    ready: Ready
    keep: bool = True


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


def references_of(target: Object | None) -> set[Reference]:
    """All that a live resource names."""
    models = (reference_of(target, field) for field in MODEL_FIELDS)
    found = (*models, service_of(target), *gates_of(target))
    return {reference for reference in found if reference}


def reference_of(target: Object | None, field: str = "model") -> Reference | None:
    """What a live resource's ``spec.model.from`` names, or another field's."""
    reference = (_spec(target).get(field) or {}).get("from")
    return (reference["kind"], reference["name"]) if reference else None


def service_of(target: Object | None) -> Reference | None:
    """The service that a live EvalRun asks."""
    service = _spec(target).get("service")
    return ("InferenceService", service["name"]) if service else None


def gates_of(target: Object | None) -> list[Reference]:
    """The EvalRuns that a live service relies on."""
    return [("EvalRun", gate["evalRun"]) for gate in _spec(target).get("gates") or []]


def _spec(target: Object | None) -> Object:
    spec: Object = (target or {}).get("spec", {})
    return spec


def _secrets(target: Object) -> tuple[str, ...]:
    """The Secret that brings the base of what a FineTuneJob made."""
    secret = (target["spec"]["model"].get("secretRef") or {}).get("name")
    return (secret,) if secret else ()


def _waiting(reason: Reason, message: str) -> Waiting:
    return Waiting(Ready("Unknown", reason, message))
