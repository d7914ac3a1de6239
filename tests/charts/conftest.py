"""Helm on the chart, and what it renders."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.settings import KUBERNETES_VERSION, from_environment

ROOT = Path(__file__).resolve().parents[2]
Render = Callable[[str], str]


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs helm and gives its result, whatever it is."""
    program = from_environment().bin / "helm"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    """The chart's YAML with the values of a file beside this one (without .yaml)."""

    def run(values: str) -> str:
        done = helm(
            *("template", "martlet", "charts/martlet", "--namespace", "martlet-system"),
            # Without a cluster to ask, helm takes an old version for granted.
            *("--kube-version", KUBERNETES_VERSION),
            *("--values", f"tests/charts/values/{values}.yaml"),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def objects(render: Render) -> Callable[[str], list[dict[str, Any]]]:
    """The same, parsed."""
    return lambda values: [found for found in yaml.safe_load_all(render(values)) if found]
