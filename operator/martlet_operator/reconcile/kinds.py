"""Which function decides for which kind."""

from datetime import datetime
from typing import Any

from martlet_api.kinds import KINDS
from martlet_operator import evalrun, finetunejob, quantizedmodel
from martlet_operator.batch import run
from martlet_operator.inferenceservice.decide import decide as decide_service
from martlet_operator.reconcile.decision import Decision
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Settings

_BATCH = {kind.kind: kind for kind in (finetunejob.KIND, evalrun.KIND, quantizedmodel.KIND)}


def parse(kind: str, resource: dict[str, Any]) -> Any:
    """The resource as its class; pydantic's ValidationError where it is not valid."""
    return KINDS[kind].model_validate(
        {"spec": resource["spec"], "status": resource.get("status") or {}}
    )


def decide(
    kind: str, parsed: Any, snapshot: Snapshot, settings: Settings, now: datetime
) -> Decision:
    """Pure; the only place that knows all kinds."""
    if kind in _BATCH:
        return run.decide(_BATCH[kind], parsed.spec, parsed.status, snapshot, settings, now)
    return decide_service(parsed.spec, parsed.status, snapshot, settings, now)
