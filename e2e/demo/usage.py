"""What the operator itself uses, from its own metrics page."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from cluster.shell import CommandError
from demo.install import NAMESPACE, OPERATOR
from demo.kube import Kube

_EVERY_SECONDS = 5.0
"""A sample takes kubectl half a second of a processor, which models need."""


@dataclass
class Usage:
    """Samples of the operator's pods: resident megabytes, and seconds of CPU in all."""

    kube: Kube
    megabytes: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    sampled: float = -_EVERY_SECONDS

    def sample(self) -> None:
        """Looks at the pages, unless it did a moment ago."""
        if time.monotonic() - self.sampled < _EVERY_SECONDS:
            return
        self.sampled = time.monotonic()
        for pod in self.kube.list("pods", NAMESPACE, OPERATOR):
            try:
                page = self.kube("get", "--raw", _path(pod["metadata"]["name"]))
            except CommandError:
                continue  # it is just starting or ending; the next sample will tell
            self.megabytes.append(_value(page, "process_resident_memory_bytes") / 1e6)
            self.cpu_seconds = _value(page, "process_cpu_seconds_total")

    def line(self) -> str:
        if not self.megabytes:
            return "operator: no sample"
        return f"operator: {max(self.megabytes):.0f} MB at most, {self.cpu_seconds:.1f} s of CPU"


def _path(pod: str) -> str:
    return f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics"


def _value(page: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0
