"""Small builders: resources, Jobs, pods with statuses, and what a pod says at its end."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

from martlet_api import API_VERSION, labels
from martlet_api.contract import Termination
from martlet_operator.naming import digest_of, owned_labels, stage_name
from martlet_operator.reconcile import kinds
from martlet_operator.reconcile.decision import Decision
from martlet_operator.reconcile.snapshot import Snapshot
from martlet_operator.settings import Images, Settings

Object = dict[str, Any]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IMAGES = ("runtime", "vllm-cpu", "vllm-cuda", "lmdeploy", "sglang")
SETTINGS = Settings(images=Images(*(f"{name}:1" for name in IMAGES)))
NAMESPACE = "team"
BATCH_KINDS = ("FineTuneJob", "EvalRun", "QuantizedModel")
WORK = {
    "FineTuneJob": ("train",),
    "EvalRun": ("evaluate",),
    "QuantizedModel": ("quantize", "verify"),
}
"""The stages of a run's work."""
STAGES = {kind: stages[0] for kind, stages in WORK.items()}

_OWN: dict[str, Object] = {
    "FineTuneJob": {
        "datasets": [{"uri": "pvc://data/train.jsonl"}],
        "output": {"uri": "pvc://models"},
    },
    "EvalRun": {
        "suites": [
            {
                "name": "village",
                "benchmark": "general_qa",
                "dataset": {"uri": "pvc://data/test.jsonl"},
                "thresholds": [{"metric": "Rouge-L-R", "min": 0.8}],
            }
        ]
    },
    "QuantizedModel": {
        "ladder": [{"method": "W8A8"}],
        "calibration": {"dataset": {"uri": "pvc://data/train.jsonl"}},
        "gate": {"perplexity": {"dataset": {"uri": "pvc://data/stories.txt"}}},
        "output": {"uri": "pvc://models"},
    },
    "InferenceService": {},
}
DATASETS = {
    "FineTuneJob": ("dataset-0",),
    "EvalRun": ("suite-village",),
    "QuantizedModel": ("calibration", "perplexity"),
    "InferenceService": (),
}


def digest(text: str) -> str:
    """A digest that stands for ``text``."""
    return f"sha256:{digest_of(text)}"


def spec_of(kind: str, **changes: Any) -> Object:
    """A smallest spec; ``changes`` replace its top-level fields, None leaves one out."""
    base = {"model": {"uri": "pvc://models/base"}, **copy.deepcopy(_OWN[kind])}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def resource(
    kind: str,
    name: str = "thing",
    *,
    status: Object | None = None,
    generation: int = 1,
    **changes: Any,
) -> Object:
    """A live resource."""
    out = {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{kind}-{name}",
            "generation": generation,
        },
        "spec": spec_of(kind, **changes),
    }
    return {**out, "status": status} if status is not None else out


def from_(kind: str, name: str) -> Object:
    return {"from": {"kind": kind, "name": name}}


def artifact(text: str, *, base: str | None = None) -> Object:
    """An artifact; with ``base`` it is an adapter over it."""
    out: Object = {
        "uri": f"pvc://models/{text}",
        "digest": digest(text),
        "format": "peft-adapter" if base else "safetensors",
        "bytes": 100,
    }
    if base:
        out |= {"base": {"uri": f"pvc://models/{base}", "digest": digest(base)}, "adapterRank": 8}
    return out


def with_artifact(
    kind: str, name: str, text: str, *, base: str | None = None, **spec: Any
) -> Object:
    """A resource that has made something."""
    return resource(kind, name, status={"artifact": artifact(text, base=base)}, **spec)


def serving(
    name: str,
    revision: str,
    text: str,
    ready: int = 1,
    *,
    following: str | None = None,
    **spec: Any,
) -> Object:
    """A service of which a revision serves a model, with another that loads if asked."""
    about = {"revision": revision, "digest": digest(text), "readyReplicas": ready}
    status = {"stable": about}
    if following:
        status["canary"] = {
            **about,
            "revision": following,
            "readyReplicas": 0,
            "state": "Loading",
            "startedAt": "2026-01-01T00:00:00Z",
        }
    return resource("InferenceService", name, status=status, replicas=1, **spec)


def condition(status: str, reason: str, message: str = "Said so.") -> Object:
    return {
        "type": "Ready",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def resolved_input(name: str, uri: str, text: str = "") -> Object:
    return {
        "name": name,
        "uri": uri,
        "digest": digest(text or name),
        "files": 1,
        "bytes": 10,
    }


def preflight_told(kind: str) -> Object:
    """What preflight of a model named by URI says."""
    found = [resolved_input("model", "pvc://models/base")]
    found += [resolved_input(name, f"pvc://data/{name}") for name in DATASETS[kind]]
    return said("preflight", resolved=found)


def said(flow: str, reason: str = "Succeeded", message: str = "Done.", **parts: Any) -> Object:
    """A termination message, checked against the contract."""
    told = {
        "flow": flow,
        "succeeded": reason == "Succeeded",
        "reason": reason,
        "message": message,
        **parts,
    }
    Termination.model_validate(told)
    return told


def work_told(kind: str, *, text: str = "made", score: float = 0.9) -> Object:
    """What the working pod of a kind says when it went well."""
    if kind == "FineTuneJob":
        made = {"artifact": artifact(text, base="base"), "steps": 12, "loss": 0.5}
        return said("train", train=made)
    if kind == "EvalRun":
        value = {"suite": "village", "metric": "Rouge-L-R", "value": score, "samples": 40}
        return said("evaluate", evaluate={"scores": [value]})
    rung = {"method": "W8A8", "passed": True, "increasePercent": 1.5, "perplexity": 5.1}
    quantize = {
        "rungs": [rung],
        "baselinePerplexity": 5.0,
        "sourceBytes": 400,
        "artifact": artifact(text),
    }
    return said("quantize", quantize=quantize)


def verify_told(**changes: Any) -> Object:
    """What the pod says in which the engine answered; ``changes`` are of the result."""
    made = {"engine": "vLLM", "version": "0.32.0", "image": "vllm-cpu:1", "seconds": 41.26}
    return said("verify", verify={**made, "chat": True, **changes})


def stage_told(kind: str, stage: str, **parts: Any) -> Object:
    """What a stage of a kind's work says when it went well."""
    return verify_told() if stage == "verify" else work_told(kind, **parts)


def ended(code: int, message: str = "", reason: str = "Error") -> Object:
    """The state of a container that ended."""
    stamp = "2026-01-02T03:00:00Z"
    return {
        "terminated": {
            "exitCode": code,
            "reason": "Completed" if code == 0 else reason,
            "message": message,
            "finishedAt": stamp,
        }
    }


def container_status(name: str, state: Object, **parts: Any) -> Object:
    return {"name": name, "image": f"{name}:1", "restartCount": 0, "state": state, **parts}


def waiting(reason: str, message: str = "") -> Object:
    return {"waiting": {"reason": reason, "message": message}}


RUNNING: Object = {"running": {"startedAt": "2026-01-02T03:00:00Z"}}


def pod(
    marks: dict[str, str],
    *,
    phase: str = "Running",
    containers: list[Object] | None = None,
    init: list[Object] | None = None,
    conditions: list[Object] | None = None,
    created: str = "2026-01-02T03:00:00Z",
    name: str = "pod",
    **status: Any,
) -> Object:
    """A live pod with these labels; the engine among its init containers is a sidecar."""
    sidecars = [{"name": s["name"], "restartPolicy": "Always"} for s in init or []]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "creationTimestamp": created,
            "labels": marks,
        },
        "spec": {"initContainers": [c for c in sidecars if c["name"] == "engine"]},
        "status": {
            "phase": phase,
            "containerStatuses": containers or [],
            "initContainerStatuses": init or [],
            "conditions": conditions or [],
            **status,
        },
    }


def stage_pod(owner: Object, run: str, stage: str, **parts: Any) -> Object:
    """A pod of a stage's Job."""
    return pod(
        owned_labels(owner["kind"], owner["metadata"]["name"], run=run, stage=stage), **parts
    )


def finished_pod(owner: Object, run: str, stage: str, code: int, message: str, **kw: Any) -> Object:
    """A pod whose working container ended."""
    state = ended(code, message)
    phase = "Failed" if code else "Succeeded"
    return stage_pod(
        owner, run, stage, phase=phase, containers=[container_status(stage, state)], **kw
    )


def stage_job(
    owner: Object, run: str, stage: str, *conditions: str, suspend: bool = False
) -> Object:
    """A live Job of a stage; ``conditions`` are the types that hold."""
    name = owner["metadata"]["name"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": stage_name(name, run, stage),
            "namespace": NAMESPACE,
            "uid": f"uid-{run}-{stage}",
            "labels": owned_labels(owner["kind"], name, run=run, stage=stage),
        },
        "spec": {"suspend": suspend},
        "status": {
            "conditions": [{"type": c, "status": "True", "message": "gave up"} for c in conditions]
        },
    }


def decide(
    live: Object,
    references: list[Object] | None = None,
    settings: Settings = SETTINGS,
    now: datetime = NOW,
    **parts: Any,
) -> Decision:
    """Decides on a resource; ``references`` are live objects beside it."""
    known = {(r["kind"], r["metadata"]["name"]): r for r in [live, *(references or [])]}
    snapshot = Snapshot(live, known, **parts)
    return kinds.decide(live["kind"], kinds.parse(live["kind"], live), snapshot, settings, now)


def after(live: Object, decision: Decision) -> Object:
    """The resource with the status that a decision writes."""
    return {**live, "status": decision.status.to_dict()}


def ready(decision: Decision) -> tuple[str, str, str]:
    """Status, reason and message of the Ready condition."""
    found = next(c for c in decision.status.conditions if c.type == "Ready")
    return found.status, found.reason, found.message


def desired(decision: Decision, kind: str) -> list[Object]:
    return [item for item in decision.desired if item["kind"] == kind]


def started(live: Object, references: list[Object] | None = None) -> tuple[Object, str]:
    """The resource once its run has begun, and the run."""
    begun = after(live, decide(live, references))
    return begun, begun["status"]["run"]["id"]


def locked(live: Object) -> tuple[Object, str, Decision]:
    """A batch resource named by URI whose preflight is done: resource, run and decision."""
    begun, run = started(live)
    told = json.dumps(preflight_told(live["kind"]))
    done = finished_pod(live, run, "preflight", 0, told)
    decision = decide(begun, pods=[done], owned=[stage_job(live, run, "preflight", "Complete")])
    return after(begun, decision), run, decision


def went_well(live: Object, run: str, stages: tuple[str, ...], **parts: Any) -> Object:
    """``pods`` and ``owned`` of a run of which these stages are done."""
    kind = live["kind"]
    told = {stage: json.dumps(stage_told(kind, stage, **parts)) for stage in stages}
    return {
        "pods": [
            finished_pod(live, run, stage, 0, text, name=f"{stage}-pod")
            for stage, text in told.items()
        ],
        "owned": [stage_job(live, run, stage, "Complete") for stage in stages],
    }


def keeps(decision: Decision, label: str, value: str) -> bool:
    return (label, value) in decision.keep


RUN = labels.RUN
