"""Whether the EvalRuns that a service relies on passed for the digest that it would serve."""

from martlet_api.conditions import Condition, Reason
from martlet_api.evalrun import Verdict
from martlet_api.inferenceservice import ServiceGate
from martlet_operator.conditions.fold import Ready
from martlet_operator.inputs.references import References, ready_of, service_of


def closed(
    service: str, gates: list[ServiceGate], digest: str, references: References
) -> Ready | None:
    """The first gate that is not open; None when all are. ``service`` is whose gates they are."""
    for gate in gates:
        if ready := _closed(service, gate.eval_run, digest, references):
            return ready
    return None


def _closed(service: str, name: str, digest: str, references: References) -> Ready | None:
    target = references.get(("EvalRun", name))
    if target is None:
        return Ready(
            "Unknown",
            Reason.REFERENCE_NOT_FOUND,
            f"EvalRun {name} does not exist in this namespace. Create it, and this goes on by "
            "itself; or correct spec.gates.",
        )
    found = target.get("status", {}).get("verdict")
    verdict = Verdict.model_validate(found) if found else None
    if verdict and verdict.model_digest == digest:
        return None if verdict.passed else _failed(name, verdict)
    if service_of(target) == ("InferenceService", service):
        return _circular(service, name, digest)
    return _missing(name, digest, verdict, ready_of(target))


def _failed(name: str, verdict: Verdict) -> Ready:
    return Ready(
        "False",
        Reason.GATE_NOT_PASSED,
        f"EvalRun {name} did not pass for {verdict.model_digest[:19]}: {verdict.message} "
        "Nothing is served of it; train or choose another model.",
    )


def _circular(service: str, name: str, digest: str) -> Ready:
    """The EvalRun scores what is served, and this gate says what may be."""
    return Ready(
        "False",
        Reason.CIRCULAR_REFERENCE,
        f"EvalRun {name} scores what InferenceService {service} serves, which cannot be "
        f"{digest[:19]} before that very EvalRun has passed for it. Let spec.gates name an EvalRun "
        "of the model itself (spec.model), or leave this gate out.",
    )


def _missing(name: str, digest: str, verdict: Verdict | None, ready: Condition | None) -> Ready:
    other = f" Its verdict is on {verdict.model_digest[:19]}." if verdict else ""
    state = ready.reason if ready else "not looked at yet"
    failed = ready is not None and ready.status == "False"
    return Ready(
        "False" if failed else "Unknown",
        Reason.WAITING_FOR_GATE,
        f"Waits for EvalRun {name} ({state}) to pass for {digest[:19]}.{other} Goes on by itself.",
    )
