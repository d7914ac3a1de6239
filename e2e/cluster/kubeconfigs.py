"""Kubeconfig files with everything inside them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from cluster import files
from cluster.certificates import Authority, Pair


def write(path: Path, *, server: str, authority: Authority, client: Pair) -> None:
    """Write a kubeconfig (JSON, which is YAML) readable by its owner alone."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "martlet",
                "cluster": {
                    "server": server,
                    "certificate-authority-data": _encoded(authority.certificate),
                },
            }
        ],
        "users": [
            {
                "name": "user",
                "user": {
                    "client-certificate-data": _encoded(client.certificate),
                    "client-key-data": _encoded(client.key),
                },
            }
        ],
        "contexts": [{"name": "martlet", "context": {"cluster": "martlet", "user": "user"}}],
        "current-context": "martlet",
    }
    files.write(path, json.dumps(content, indent=1) + "\n", mode=0o600)


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
