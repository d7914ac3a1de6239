"""The Job of a stage and the ConfigMap with its plan."""

from typing import Any

from martlet_api import labels
from martlet_api.contract import (
    EXIT_USER_ERROR,
    MASTER_ENV,
    MASTER_PORT,
    NODE_RANK_ENV,
    Plan,
)
from martlet_operator.naming import owned_labels, stage_name
from martlet_operator.pods.states import INDEX_ANNOTATION

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
    A pod that was evicted or drained does not count as a failure. Where Kueue queues the owner,
    it says when the Job is suspended, and we do not.
    """
    metadata = _metadata(plan, stage, owner)
    queue = queue_of(owner)
    if queue:
        metadata["labels"] = {**metadata["labels"], labels.QUEUE: queue}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            **({} if queue else {"suspend": suspend}),
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


def queue_of(owner: Object) -> str | None:
    """Kueue's queue that a resource is labelled with."""
    queue: str | None = owner["metadata"].get("labels", {}).get(labels.QUEUE)
    return queue


def together(work: Object, nodes: int) -> list[Object]:
    """A Job whose pods work together: each has an index and finds the first by name, whether that
    one is ready or not. A pod that is lost takes the others with it, so each may fail as often."""
    if nodes == 1:
        return [work]
    metadata, spec = work["metadata"], work["spec"]
    pods = spec["template"]["spec"]
    first = f"{metadata['name']}-0.{metadata['name']}"
    template = {**pods, "subdomain": metadata["name"], "containers": _told(pods, first)}
    indexed = {
        **spec,
        "completionMode": "Indexed",
        "completions": nodes,
        "parallelism": nodes,
        "backoffLimit": spec["backoffLimit"] * nodes,
        "template": {**spec["template"], "spec": template},
    }
    return [_names(metadata), {**work, "spec": indexed}]


def _told(pods: Object, first: str) -> list[Object]:
    rank = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX_ANNOTATION}']"}}
    more = [{"name": MASTER_ENV, "value": first}, {"name": NODE_RANK_ENV, "valueFrom": rank}]
    return [{**item, "env": [*item["env"], *more]} for item in pods["containers"]]


def _names(metadata: Object) -> Object:
    """A headless Service: names for the pods of one Job."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": metadata["name"]},
            "ports": [{"name": "rendezvous", "port": MASTER_PORT, "protocol": "TCP"}],
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
