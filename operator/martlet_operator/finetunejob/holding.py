"""What training waits for though nothing is missing: a dry run's end, a person's approval."""

from typing import Any

from martlet_api import labels
from martlet_api.conditions import Reason
from martlet_api.finetunejob import FineTuneJobSpec, FineTuneJobStatus
from martlet_operator.conditions.fold import Ready

Object = dict[str, Any]


def hold(resource: Object, spec: FineTuneJobSpec, status: FineTuneJobStatus) -> Ready | None:
    """Approval is bound to the sample's digest: other rows need another."""
    if spec.dry_run:
        text = "All is checked and estimated. Set spec.dryRun to false to train."
        return Ready("Unknown", Reason.DRY_RUN, text)
    sample, metadata = status.audit, resource["metadata"]
    if spec.audit.approval != "Required" or sample is None:
        return None
    if metadata.get("annotations", {}).get(labels.APPROVED_SAMPLE) == sample.digest:
        return None
    return Ready(
        "Unknown",
        Reason.WAITING_FOR_APPROVAL,
        f"Waits for a person to approve {sample.rows} rows in {sample.sample}: kubectl annotate "
        f"finetunejob {metadata['name']} -n {metadata['namespace']} --overwrite "
        f"{labels.APPROVED_SAMPLE}={sample.digest}",
    )
