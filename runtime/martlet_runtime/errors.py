"""How a flow fails, by what to do next.

FlowError
├── UserError        the same spec would fail again: exit code 65, nothing is retried
│   └── RowError     a row that cannot be used
└── RetryableError   a hub that is down, a volume that went away: exit code 75, tried again

Anything else is a fault of ours: exit code 1, counted and tried again by the Job.
"""

import errno

from martlet_api.conditions import Reason


class FlowError(Exception):
    """``message`` is whole sentences: what was wrong, where, and what to do next."""

    def __init__(self, reason: Reason, message: str) -> None:
        # A message may quote rows with what is no character, and goes into JSON.
        self.message = message.encode(errors="replace").decode()
        super().__init__(self.message)
        self.reason = reason


class UserError(FlowError):
    """Only a changed spec, data set or volume helps."""


class RowError(UserError):
    """A row is not in its shape, or is refused by a template, or nothing of it is left. Whoever
    knows its file and line tells them, too, or leaves it out."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(
            Reason.DATASET_INVALID,
            f"A row cannot be used: {found}; expected {expected}. Correct the row, then set a "
            "new spec.retry.",
        )
        self.found = found
        self.expected = expected


class RetryableError(FlowError):
    """The same may go well the next time."""


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def from_os_error(error: OSError) -> FlowError | None:
    """What an error of the file system means; None where it says nothing to a user."""
    where = f" at {error.filename}" if error.filename else ""
    if error.errno in _FULL:
        return UserError(
            Reason.DISK_FULL,
            f"No space is left{where}. Free or enlarge the volume, then set a new spec.retry.",
        )
    if error.errno in _NOT_WRITABLE:
        return UserError(
            Reason.OUTPUT_NOT_WRITABLE,
            f"The pod's user (uid 10001) may not write{where}. Let the volume be writable for it, "
            "then set a new spec.retry.",
        )
    if error.errno == errno.ENOMEM:
        return out_of_memory()
    return None


def out_of_memory() -> UserError:
    return UserError(
        Reason.OUT_OF_MEMORY,
        "There was not enough memory. Raise spec.pod.resources.limits.memory, or make the work "
        "smaller.",
    )
