"""QuantizedModel: what it wants of the cluster (desired) and what it says of itself (status)."""

from martlet_api.conditions import Reason
from martlet_operator.batch.kind import BatchKind
from martlet_operator.quantizedmodel import desired, status

KIND = BatchKind(
    kind="QuantizedModel",
    stage=desired.STAGE,
    working=Reason.QUANTIZING,
    inputs=desired.inputs,
    refusal=desired.refusal,
    plan=desired.plan,
    template=desired.template,
    progress=status.progress,
    outcome=status.outcome,
    findings=status.findings,
)
