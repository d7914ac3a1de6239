"""Applies the cluster's own objects to it."""

from __future__ import annotations

import string
import time
from pathlib import Path

from cluster.node import kubectl
from cluster.settings import DNS_PORT, GATEWAY_PORT, STORAGE_CLASS, Settings
from cluster.shell import CommandError, run

FOLDER = Path(__file__).parent


def apply(settings: Settings, text: str) -> None:
    """Server-side apply of one or more documents; raises CommandError."""
    run(
        [*kubectl(settings), "apply", "--server-side", "--force-conflicts",
         "--field-manager=martlet-e2e", "-f", "-"],
        stdin=text,
    )  # fmt: skip


def apply_file(settings: Settings, name: str) -> None:
    """Apply a file beside this one, with the cluster's addresses filled in."""
    apply(settings, string.Template((FOLDER / name).read_text()).substitute(_values(settings)))


def wait_for_api_endpoint(settings: Settings, seconds: float = 60.0) -> None:
    """Until the API server has put itself behind its Service; raises CommandError.

    An API server that starts again takes its endpoint away for a moment. kube-proxy 1.35 forgets
    the rule of an endpoint that goes and comes back, so it is started when that is over.
    """
    until = time.monotonic() + seconds
    words = ["get", "endpointslice", "kubernetes", "-n", "default", "--ignore-not-found"]
    while not run([*kubectl(settings), *words, "-o", "jsonpath={.endpoints[*].addresses}"]):
        if time.monotonic() > until:
            raise CommandError("the API server has no endpoint: see logs/kube-apiserver.log")
        time.sleep(0.2)


def _values(settings: Settings) -> dict[str, str]:
    return {
        "DNS_SERVICE": str(settings.dns_service_address),
        "DNS_PORT": str(DNS_PORT),
        "NODE": str(settings.node_address),
        "STORAGE_CLASS": STORAGE_CLASS,
        "GATEWAY_PORT": str(GATEWAY_PORT),
    }
