"""QuantizedModel: what it wants of the cluster (desired) and what it says of itself (status)."""

from martlet_api.conditions import Reason
from martlet_operator.batch.kind import BatchKind, ended_by, one_stage
from martlet_operator.quantizedmodel import desired, status

KIND = BatchKind(
    kind="QuantizedModel",
    working=Reason.QUANTIZING,
    inputs=desired.inputs,
    refusal=desired.refusal,
    following=one_stage(desired.STAGE, desired.plan, desired.template),
    progress=status.progress,
    taken=ended_by(status.outcome),
    findings=status.findings,
)
