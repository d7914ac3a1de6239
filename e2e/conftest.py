"""The cluster that the tests run on: the embedded one, or CLUSTER=existing with KUBECONFIG."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from cluster.settings import Settings, from_environment
from demo import install, situation
from demo.kube import Kube


@pytest.fixture(scope="session")
def settings() -> Settings:
    return from_environment()


@pytest.fixture(scope="session")
def kube(settings: Settings) -> Kube:
    """A cluster with the operator, which looks at everything anew every ten seconds."""
    found = install.prepare(settings)
    install.operator(found, "--set", "resyncSeconds=10")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails tells how machine and cluster were at that moment."""
    report = yield
    if report.failed:
        report.sections.append(("the cluster", "\n".join(situation.lines(from_environment()))))
    return report
