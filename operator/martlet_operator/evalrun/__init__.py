"""EvalRun: what it wants of the cluster (desired), whether its figures can be told (room) and its
test sets were trained on (contamination), which scores are known already (sharing), what they are
worth (judging), and what it says of itself (status)."""

from martlet_api.conditions import Reason
from martlet_operator.batch.kind import BatchKind
from martlet_operator.evalrun import contamination, desired, stages, status

KIND = BatchKind(
    kind="EvalRun",
    working=Reason.EVALUATING,
    inputs=desired.inputs,
    target=desired.target,
    models=desired.models,
    refusal=desired.refusal,
    following=stages.following,
    taken=stages.taken,
    checked=contamination.checked,
    contamination=contamination.plan,
    progress=status.progress,
    findings=status.findings,
)
