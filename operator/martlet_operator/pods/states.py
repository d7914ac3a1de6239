"""What a pod's status says: its result, or what keeps it from one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from martlet_api.conditions import Reason
from martlet_api.contract import EXIT_USER_ERROR, POD_TERMINATION_LIMIT, Termination
from martlet_api.termination import decode

Object = dict[str, Any]

INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')
_SECRET = re.compile(r'secret "([^"]+)" not found')
_SECRET_KEY = re.compile(r"couldn't find key (\S+) in Secret [^/\s]+/(\S+)")
_LOG_TAIL = 600


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not get on. ``user_error``: the same pod would fail again; ``told``: what our
    runtime said of it."""

    reason: Reason
    message: str
    user_error: bool = False
    told: Termination | None = None


def newest_first(pods: Iterable[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)


def index_of(pod: Object) -> int:
    """Which of the pods that work together this is; 0 for one that works alone."""
    return int(pod["metadata"].get("annotations", {}).get(INDEX_ANNOTATION, "0"))


def speaks(pod: Object) -> bool:
    """Of pods that work together, the first has the progress and the result."""
    return index_of(pod) == 0


def container_statuses(pod: Object) -> Iterator[Object]:
    """Of all containers, init containers first."""
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses", [])
    yield from status.get("containerStatuses", [])


def termination_of(pod: Object, container: str) -> tuple[int, str] | None:
    """Exit code and termination message of a container that has ended."""
    for status in container_statuses(pod):
        ended = status.get("state", {}).get("terminated")
        if status["name"] == container and ended:
            return ended["exitCode"], ended.get("message", "")
    return None


def parse_termination(message: str) -> Termination | None:
    """The result that our runtime wrote; None where the text is somebody else's."""
    return decode(message)


def cut_off(pod: Object, message: str) -> int | None:
    """How many containers a pod has, if there are so many that the kubelet kept only a part of a
    message; None where it is whole."""
    kinds = ("containers", "initContainers", "ephemeralContainers")
    count = sum(len(pod.get("spec", {}).get(kind) or []) for kind in kinds)
    shortened = count and len(message.encode()) >= POD_TERMINATION_LIMIT // count
    return count if shortened else None


def is_running(pod: Object, container: str) -> bool:
    return any(
        s["name"] == container and "running" in s.get("state", {}) for s in container_statuses(pod)
    )


def is_ready(pod: Object, container: str) -> bool:
    return any(s["name"] == container and s.get("ready") for s in container_statuses(pod))


def blocked(pod: Object) -> Trouble | None:
    """What keeps a pod from starting, though it may go on by itself once mended."""
    if pod.get("status", {}).get("phase") not in ("Pending", "Running"):
        return None
    return _unschedulable(pod) or _waiting(pod)


def _unschedulable(pod: Object) -> Trouble | None:
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] != "PodScheduled" or condition["status"] != "False":
            continue
        message = condition.get("message", "")
        if claim := _CLAIM.search(message):
            return missing_claim(claim[1])
        return Trouble(
            Reason.UNSCHEDULABLE,
            f"No node can take the pod: {message.rstrip('.')}. It starts by itself when one can; "
            "otherwise change spec.pod.",
        )
    return None


def missing_claim(name: str) -> Trouble:
    return Trouble(
        Reason.VOLUME_CLAIM_NOT_FOUND,
        f"PersistentVolumeClaim {name} does not exist in this namespace. Create it, and the pod "
        "starts by itself; or correct the pvc:// URI.",
    )


def _waiting(pod: Object) -> Trouble | None:
    for status in container_statuses(pod):
        waiting = status.get("state", {}).get("waiting")
        if not waiting:
            continue
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _IMAGE_REASONS:
            return Trouble(
                Reason.IMAGE_CANNOT_BE_PULLED,
                f"Image {status['image']} of container {status['name']} cannot be pulled: "
                f"{message or reason}. It is tried again by itself; correct spec.pod.image, or "
                "give the node access to it.",
            )
        if secret := _SECRET.search(message):
            return Trouble(
                Reason.SECRET_NOT_FOUND,
                f"Secret {secret[1]} does not exist in this namespace. Create it, and the pod "
                "starts by itself; or correct secretRef.",
            )
        if found := _SECRET_KEY.search(message):
            return Trouble(
                Reason.SECRET_NOT_FOUND,
                f"Secret {found[2]} has no key {found[1]}. Add it, and the pod starts by itself; "
                "or correct secretRef.",
            )
        if reason in ("CreateContainerConfigError", "CreateContainerError"):
            return Trouble(
                Reason.POD_REFUSED, f"Container {status['name']} cannot be made: {message}."
            )
    return None


def failure(pod: Object) -> Trouble | None:
    """Why a pod failed, by the first container that ended badly."""
    if pod.get("status", {}).get("reason") == "Evicted":
        text = pod["status"].get("message", "the node was short of something")
        return Trouble(Reason.POD_FAILED, f"The pod was evicted: {text}")
    for status in _not_restarted(pod):
        ended = status.get("state", {}).get("terminated")
        if ended and ended["exitCode"] != 0:
            return container_failure(status["name"], ended)
    if pod.get("status", {}).get("phase") == "Failed":
        text = pod["status"].get("message") or pod["status"].get("reason") or "no reason was given"
        return Trouble(Reason.POD_FAILED, f"The pod failed: {text}.")
    return None


def _not_restarted(pod: Object) -> Iterator[Object]:
    """The containers whose end is the pod's, those that do the work first. A sidecar is restarted
    while the work goes on, and killed after it: neither is a failure of the pod."""
    inits = pod.get("spec", {}).get("initContainers", [])
    sidecars = {c["name"] for c in inits if c.get("restartPolicy") == "Always"}
    status = pod.get("status", {})
    yield from status.get("containerStatuses", [])
    yield from (s for s in status.get("initContainerStatuses", []) if s["name"] not in sidecars)


def container_failure(name: str, ended: Object) -> Trouble:
    """Why one container ended: killed for memory, our own message, or its last log lines."""
    if ended.get("reason") == "OOMKilled":
        return Trouble(
            Reason.OUT_OF_MEMORY,
            f"Container {name} used more memory than its limit and was killed. Raise "
            "spec.pod.resources.limits.memory, or make the work smaller (shorter maxLength, "
            "smaller microBatchSize or maxModelLen).",
            user_error=True,
        )
    message = ended.get("message", "")
    if told := parse_termination(message):
        return Trouble(told.reason, told.message, ended["exitCode"] == EXIT_USER_ERROR, told)
    tail = _last_lines(message.strip())
    said = f" Its last lines: {tail}" if tail else ""
    return Trouble(
        Reason.POD_FAILED,
        f"Container {name} ended with exit code {ended['exitCode']}.{said}",
        ended["exitCode"] == EXIT_USER_ERROR,
    )


def _last_lines(text: str) -> str:
    """Whole lines, unless the last one alone is too long."""
    if len(text) <= _LOG_TAIL:
        return text
    tail = text[-_LOG_TAIL:]
    return tail.partition("\n")[2] or tail


def restarting(pod: Object, container: str, at_least: int) -> Trouble | None:
    """A container that keeps dying though its pod lives on."""
    for status in container_statuses(pod):
        last = status.get("lastState", {}).get("terminated") or status.get("state", {}).get(
            "terminated"
        )
        if status["name"] == container and last and status.get("restartCount", 0) >= at_least:
            return container_failure(container, last)
    return None
