"""What a rollout stands on, taken away for a while. On the cluster of our own alone."""

from __future__ import annotations

import os
import signal
import time

from cluster import gateway, processes
from cluster.settings import Settings


def without_api_server(settings: Settings, seconds: float) -> None:
    """The API server answers nothing: it is stopped, and goes on after ``seconds``."""
    process = processes.running(settings, "kube-apiserver")
    assert process is not None, "the cluster's API server does not run"
    os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(process, signal.SIGCONT)


def restart_gateway(settings: Settings) -> None:
    """The gateway ends and is started anew; meanwhile nobody can be served."""
    processes.end(settings, "traefik")
    gateway.start(settings)
