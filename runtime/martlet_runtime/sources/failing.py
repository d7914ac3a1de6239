"""The errors for hubs that refuse, do not answer, or know no such revision."""

from martlet_api.conditions import Reason
from martlet_api.contract import Input
from martlet_runtime.errors import FlowError, RetryableError, UserError
from martlet_runtime.sources.missing import not_found

_REFUSED = (401, 403)
_MISSING = (404, 410)
_SHOWN = 10


def from_status(wanted: Input, status: int, keys: str) -> FlowError:
    """``status`` of HTTP, 400 and above; ``keys``: what spec's secret must hold."""
    if status in _REFUSED:
        return denied(wanted, keys)
    if status in _MISSING:
        return not_found(wanted, f"the hub answers {status} for it.")
    return unavailable(wanted, f"the hub answers {status}")


def denied(wanted: Input, keys: str) -> UserError:
    return UserError(
        Reason.ACCESS_DENIED,
        f"{wanted.uri} may not be read. Name a Secret with {keys} of an account that may read it "
        "in secretRef beside the URI, then set a new spec.retry.",
    )


def unavailable(wanted: Input, detail: str) -> RetryableError:
    """``detail`` without a full stop."""
    return RetryableError(
        Reason.SOURCE_UNAVAILABLE,
        f"{wanted.uri} could not be read: {detail}. It is tried again; if that does not help, "
        "check the hub and the network policy of the namespace.",
    )


def no_revision(wanted: Input, branches: list[str], tags: list[str]) -> UserError:
    known = [f"branches {_some(branches)}", f"tags {_some(tags)}" if tags else "no tags"]
    return UserError(
        Reason.REVISION_NOT_FOUND,
        f"{wanted.uri} has no revision {wanted.revision}: there are {' and '.join(known)}. "
        "Correct the revision beside the URI.",
    )


def _some(names: list[str]) -> str:
    return ", ".join(sorted(names)[:_SHOWN])
