"""QuantizedModel: what it wants of the cluster (desired, verifying), in which order (stages), and
what it says of itself (status)."""

from martlet_api.conditions import Reason
from martlet_operator.batch.kind import BatchKind
from martlet_operator.quantizedmodel import desired, stages, status

KIND = BatchKind(
    kind="QuantizedModel",
    working=Reason.QUANTIZING,
    inputs=desired.inputs,
    refusal=desired.refusal,
    following=stages.following,
    taken=stages.taken,
    progress=status.progress,
    findings=status.findings,
)
