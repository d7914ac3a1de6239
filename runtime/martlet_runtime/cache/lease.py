"""Lease: the sidecar that keeps what its pod uses in the cache until the pod ends."""

import signal
import threading

from martlet_api.conditions import Reason
from martlet_api.contract import Plan, Termination
from martlet_runtime.cache import of_pod
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Until SIGTERM, which the kubelet sends once the other containers have ended."""
    store, ended = of_pod(paths), threading.Event()
    assert store is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with store.leases.kept():
        ended.wait()
    return Termination(
        flow="lease", succeeded=True, reason=Reason.SUCCEEDED, message="Nothing is used any more."
    )
