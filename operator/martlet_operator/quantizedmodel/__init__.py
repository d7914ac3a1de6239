"""QuantizedModel: what it wants of the cluster (desired) and what it says of itself (status)."""

from martlet_api.conditions import Reason
from martlet_operator.batch.kind import BatchKind
from martlet_operator.quantizedmodel import desired, status

KIND = BatchKind(
    kind="QuantizedModel",
    working=Reason.QUANTIZING,
    inputs=desired.inputs,
    refusal=desired.refusal,
    following=desired.work,
    progress=status.progress,
    taken=status.taken,
    findings=status.findings,
)
