"""What a decision asks the loop to do."""

from dataclasses import dataclass, field
from typing import Any

from martlet_api import labels
from martlet_api.runs import RunStatus

Object = dict[str, Any]
Keep = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Decision:
    """Desired objects and status.

    ``keep``: (label, value) pairs; an object with one of them stays though it is not desired (a
    finished run's Job, for its logs; the revision that serves). Whatever else the resource owns
    and is not desired is deleted.
    ``replicas``: of Deployments that stay as they were made but for that.
    ``again_after``: seconds until the resource must be looked at though nothing happened.
    """

    status: RunStatus
    desired: list[Object] = field(default_factory=list)
    keep: Keep = ()
    replicas: dict[str, int] = field(default_factory=dict)
    again_after: float | None = None


def keep_run(run: str) -> Keep:
    return ((labels.RUN, run),)


def keep_revisions(*revisions: str) -> Keep:
    return tuple((labels.REVISION, revision) for revision in revisions)


def pruned(decision: Decision, owned: list[Object]) -> list[Object]:
    """The owned objects that are neither desired nor kept."""
    desired = {(item["kind"], item["metadata"]["name"]) for item in decision.desired}
    return [
        item
        for item in owned
        if (item["kind"], item["metadata"]["name"]) not in desired
        and not _is_kept(item, decision.keep)
        and "deletionTimestamp" not in item["metadata"]
    ]


def _is_kept(item: Object, keep: Keep) -> bool:
    own = item["metadata"].get("labels", {})
    return any(own.get(label) == value for label, value in keep)
