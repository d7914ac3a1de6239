"""The errors for inputs that are not there."""

from martlet_api.conditions import Reason
from martlet_api.contract import Input
from martlet_runtime.errors import UserError


def not_found(wanted: Input, detail: str) -> UserError:
    """``detail`` ends in a full stop."""
    reason = Reason.MODEL_NOT_FOUND if wanted.kind == "Model" else Reason.DATASET_NOT_FOUND
    return UserError(
        reason,
        f"{wanted.uri} does not exist: {detail} Correct the URI, or put it there and set a new "
        "spec.retry.",
    )
