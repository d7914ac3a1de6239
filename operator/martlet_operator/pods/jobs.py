"""The Job of a stage and the ConfigMap with its plan."""

from typing import Any

from martlet_api.contract import EXIT_USER_ERROR, Plan
from martlet_operator.naming import owned_labels, stage_name

Object = dict[str, Any]

_OUT_OF_MEMORY_EXIT = 137


def plan_map(plan: Plan, stage: str, owner: Object) -> Object:
    """The plan as a ConfigMap; it belongs to one run and never changes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(plan, stage, owner),
        "immutable": True,
        "data": {"plan.json": plan.model_dump_json(by_alias=True, exclude_none=True)},
    }


def job(
    plan: Plan, stage: str, owner: Object, template: Object, *, retries: int, suspend: bool
) -> Object:
    """A Job that retries what is worth retrying.

    A user's error ends it at once; so does a kill for want of memory, which would come again.
    A pod that was evicted or drained does not count as a failure.
    """
    metadata = _metadata(plan, stage, owner)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "suspend": suspend,
            "backoffLimit": retries,
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [_on("DisruptionTarget")]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "operator": "In",
                            "values": [EXIT_USER_ERROR, _OUT_OF_MEMORY_EXIT],
                        },
                    },
                ]
            },
            "template": {
                "metadata": {"labels": metadata["labels"]},
                "spec": {**template, "restartPolicy": "Never"},
            },
        },
    }


def owner_reference(owner: Object) -> Object:
    """What makes the garbage collector take the object with its owner."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _metadata(plan: Plan, stage: str, owner: Object) -> Object:
    return {
        "name": stage_name(plan.name, plan.run, stage),
        "namespace": plan.namespace,
        "labels": owned_labels(plan.kind, plan.name, run=plan.run, stage=stage),
        "ownerReferences": [owner_reference(owner)],
    }


def _on(kind: str) -> Object:
    return {"type": kind, "status": "True"}
