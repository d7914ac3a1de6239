"""A real API server with our CRDs."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.apiserver import ApiServer
from cluster.settings import from_environment

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).resolve().parents[2]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def kubectl() -> Iterator[Kubectl]:
    """Runs kubectl; a dict given as ``manifest`` goes to its standard input."""
    with ApiServer() as server:
        program = from_environment().bin / "kubectl"

        def run(
            *words: str, manifest: dict[str, Any] | None = None
        ) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [str(program), f"--kubeconfig={server.kubeconfig}", *words],
                input=json.dumps(manifest) if manifest else None,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        applied = run("apply", "--server-side", "-f", str(ROOT / "crds"))
        assert applied.returncode == 0, applied.stderr
        waited = run("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        assert waited.returncode == 0, waited.stderr
        yield run
