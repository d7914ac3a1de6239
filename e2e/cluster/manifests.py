"""Applies the cluster's own objects to it."""

from __future__ import annotations

import string
from pathlib import Path

from cluster.node import kubectl
from cluster.settings import DNS_PORT, GATEWAY_PORT, STORAGE_CLASS, Settings
from cluster.shell import run

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


def _values(settings: Settings) -> dict[str, str]:
    return {
        "DNS_SERVICE": str(settings.dns_service_address),
        "DNS_PORT": str(DNS_PORT),
        "NODE": str(settings.node_address),
        "STORAGE_CLASS": STORAGE_CLASS,
        "GATEWAY_PORT": str(GATEWAY_PORT),
    }
