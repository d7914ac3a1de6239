"""What ``service`` names: the model that a revision serves, or what it waits for."""

from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import ENGINE_PORT
from martlet_api.inferenceservice import InferenceServiceStatus, Revision
from martlet_api.references import ServiceReference
from martlet_operator.conditions.fold import Ready
from martlet_operator.inputs.models import ServedModel
from martlet_operator.inputs.references import References, Waiting, ready_of

Object = dict[str, Any]

KIND = "InferenceService"


def revisions(service: Object) -> list[Revision]:
    """Those that a live service has now; the first is the one that requests reach, if any does."""
    status = InferenceServiceStatus.model_validate(service.get("status") or {})
    return [found for found in (status.stable, status.canary) if found]


def serves(service: Object) -> bool:
    """Whether requests reach any revision of it."""
    return bool((service.get("status") or {}).get("stable"))


def served_model(
    reference: ServiceReference, namespace: str, references: References
) -> ServedModel | Waiting:
    """The model that answers, or why none does."""
    service = references.get((KIND, reference.name))
    if service is None:
        return _waiting(
            Reason.REFERENCE_NOT_FOUND,
            f"{KIND} {reference.name} does not exist in this namespace. Create it, and this goes "
            "on by itself; or correct spec.service.name.",
        )
    found = _found(reference, service)
    if isinstance(found, Waiting):
        return found
    return _asked(reference.name, service, namespace, found)


def _found(reference: ServiceReference, service: Object) -> Revision | Waiting:
    have = revisions(service)
    if reference.revision is None:
        return have[0] if serves(service) else _serves_nothing(reference.name, service)
    named = (each for each in have if each.revision == reference.revision)
    return next(named, None) or _not_its_own(reference, service, have)


def _asked(name: str, service: Object, namespace: str, found: Revision) -> ServedModel | Waiting:
    """The revision, if any of its replicas answers."""
    if service["spec"].get("replicas") == 0:
        return _waiting(
            Reason.SCALED_TO_ZERO,
            f"{KIND} {name} is scaled to zero, so nothing answers. Set its spec.replicas, and "
            "this goes on by itself.",
        )
    if found.ready_replicas == 0:
        text = f"Waits for a replica of revision {found.revision} of {KIND} {name} to be ready."
        return _waiting(Reason.WAITING_FOR_REFERENCE, f"{text} Goes on by itself.", keep=True)
    return ServedModel(
        f"http://{found.revision}.{namespace}.svc:{ENGINE_PORT}/v1",
        found.digest,
        resource=f"{KIND}/{name}",
        name=name,
        served_by=found.revision,
    )


def _serves_nothing(name: str, service: Object) -> Waiting:
    ready = ready_of(service)
    if ready and ready.status == "False":
        return _waiting(
            Reason.REFERENCE_FAILED,
            f"{KIND} {name} serves nothing ({ready.reason}): {ready.message} Mend it, and this "
            "goes on by itself.",
        )
    state = ready.reason if ready else "not looked at yet"
    return _waiting(
        Reason.WAITING_FOR_REFERENCE,
        f"Waits for {KIND} {name} to serve ({state}); goes on by itself.",
    )


def _not_its_own(reference: ServiceReference, service: Object, have: list[Revision]) -> Waiting:
    if not have:
        return _serves_nothing(reference.name, service)
    names = ", ".join(each.revision for each in have)
    text = (
        f"{KIND} {reference.name} has no revision {reference.revision} now; it has {names}. Name "
        "one of them in spec.service.revision, or leave it out to score the one that serves."
    )
    return Waiting(Ready("False", Reason.REVISION_NOT_FOUND, text), keep=False)


def _waiting(reason: Reason, message: str, *, keep: bool = False) -> Waiting:
    """What began is not kept: a pod that asks a service that is not there fails, and for good."""
    return Waiting(Ready("Unknown", reason, message), keep=keep)
