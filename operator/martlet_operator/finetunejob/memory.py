"""What preflight is asked and what it says about the memory that training needs."""

from kubernetes.utils.quantity import parse_quantity

from martlet_api.conditions import Reason
from martlet_api.contract import EstimatePlan, Termination
from martlet_api.finetunejob import Estimate, FineTuneJobSpec
from martlet_api.training import Hyperparameters, Strategy
from martlet_operator.conditions.fold import Ready
from martlet_operator.inputs.wanted import MODEL, Inputs
from martlet_operator.reconcile.snapshot import Snapshot

_GIB = 1 << 30


def plan(spec: FineTuneJobSpec, inputs: Inputs, snapshot: Snapshot) -> EstimatePlan:
    """The shapes are those of the base, which an adapter does not change."""
    unlocked = next((item for item in inputs.unlocked if item.name == MODEL), None)
    base = inputs.model.inputs()[0] if inputs.model else unlocked
    assert base is not None
    return EstimatePlan(
        method=spec.method,
        tuner=spec.tuner,
        hyperparameters=spec.hyperparameters,
        precision=spec.precision,
        on_accelerator=spec.pod.accelerator is not None,
        processes=spec.parallelism.nodes * (spec.pod.accelerators_per_pod or 1),
        strategy=spec.parallelism.strategy,
        capacity=capacity(spec, snapshot),
        model=base,
    )


def capacity(spec: FineTuneJobSpec, snapshot: Snapshot) -> int | None:
    """Bytes: of an accelerator by the spec or else by the nodes; of the container on a CPU."""
    if spec.pod.accelerator_memory:
        return int(parse_quantity(spec.pod.accelerator_memory))
    if spec.pod.accelerator:
        return snapshot.accelerator_memory
    limits = (spec.pod.resources.limits if spec.pod.resources else None) or {}
    return int(parse_quantity(limits["memory"])) if "memory" in limits else None


def fits(told: Termination) -> Ready | None:
    """The Fits condition."""
    if told.reason == Reason.INSUFFICIENT_MEMORY:
        return Ready("False", Reason.INSUFFICIENT_MEMORY, told.message)
    if told.estimate_failure:
        text = (
            f"The memory could not be estimated ({told.estimate_failure}); training begins without "
            "knowing. The log of the preflight pod has the whole story, for a report to Martlet."
        )
        return Ready("Unknown", Reason.ESTIMATE_FAILED, text)
    if told.estimate is None:
        return None
    needed = f"Needs {_gib(told.estimate.per_accelerator)}"
    if told.estimate.available is None:
        text = f"{needed}; what there is, is not known. Name spec.pod.acceleratorMemory, or a limit"
        return Ready("Unknown", Reason.CAPACITY_UNKNOWN, f"{text} of memory on a CPU.")
    text = f"{needed} of {_gib(told.estimate.available)}."
    return Ready("True", Reason.ESTIMATE_WITHIN_CAPACITY, text)


def strategy(spec: FineTuneJobSpec, estimate: Estimate | None) -> Strategy:
    """The spec's, or what was chosen; DDP where nothing could be estimated."""
    named = spec.parallelism.strategy
    if named != "Auto":
        return named
    return (estimate and estimate.strategy) or "DDP"


def settled(spec: FineTuneJobSpec, estimate: Estimate | None) -> Hyperparameters:
    """The spec's settings with what was chosen for those that it leaves open."""
    if estimate is None:
        return spec.hyperparameters
    chosen = {
        "micro_batch_size": estimate.micro_batch_size,
        "gradient_checkpointing": "Enabled" if estimate.gradient_checkpointing else "Disabled",
    }
    return spec.hyperparameters.model_copy(update=chosen)


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f} GiB"
