"""FineTuneJob: what it wants of the cluster (desired) and what it says of itself (status)."""

from martlet_api.conditions import Reason
from martlet_operator.batch.kind import BatchKind, one_stage
from martlet_operator.finetunejob import desired, holding, memory, status

KIND = BatchKind(
    kind="FineTuneJob",
    working=Reason.TRAINING,
    inputs=desired.inputs,
    refusal=desired.refusal,
    following=one_stage(desired.STAGE, desired.plan, desired.template),
    nodes=lambda spec: spec.parallelism.nodes,
    progress=status.progress,
    taken=status.taken,
    kept=status.kept,
    rows=desired.rows,
    checked=status.checked,
    estimate=memory.plan,
    fits=memory.fits,
    hold=holding.hold,
)
