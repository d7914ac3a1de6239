"""What the chart renders: golden files, lint, values that are refused, and the rights it asks for.

Where a change of a golden file is meant, write it anew: `MARTLET_WRITE_GOLDEN=1 pytest
tests/charts -m apiserver`, and read the difference before it is committed.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

# Helm is built with the cluster's programs, as the API server is.
pytestmark = pytest.mark.apiserver

HERE = Path(__file__).parent
CHART = HERE.parents[1] / "charts" / "martlet"
VALUES = ["default", "everything"]
Helm = Callable[..., subprocess.CompletedProcess[str]]
Objects = Callable[[str], list[dict[str, Any]]]


@pytest.mark.parametrize("values", VALUES)
def test_golden(render: Callable[[str], str], values: str) -> None:
    golden = HERE / "golden" / f"{values}.yaml"
    rendered = render(values)
    if os.environ.get("MARTLET_WRITE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text()


def test_every_option_is_tried() -> None:
    ours = yaml.safe_load((HERE / "values" / "everything.yaml").read_text())
    theirs = yaml.safe_load((CHART / "values.yaml").read_text())
    assert ours.keys() == theirs.keys()
    assert not [name for name in ours if ours[name] == theirs[name]]


@pytest.mark.parametrize("values", VALUES)
def test_lint(helm: Helm, values: str) -> None:
    done = helm("lint", "--strict", "charts/martlet", "-f", f"tests/charts/values/{values}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("replica=2", "replica"),
        ("replicas=-1", "replicas"),
        ("images.pullPolicy=Sometimes", "pullPolicy"),
        ("logLevel=LOUD", "logLevel"),
        ("resyncSeconds=1", "resyncSeconds"),
        ("images.repository=x", "repository"),
    ],
)
def test_refuses_values(helm: Helm, setting: str, named: str) -> None:
    done = helm("template", "martlet", "charts/martlet", "--set", setting)
    assert done.returncode != 0
    assert "schema" in done.stderr
    assert named in done.stderr


def rules(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All rules of all roles."""
    roles = [found for found in objects if found["kind"] in ("Role", "ClusterRole")]
    return [rule for role in roles for rule in role["rules"]]


@pytest.mark.parametrize("values", VALUES)
def test_rights(objects: Objects, values: str) -> None:
    found = rules(objects(values))
    assert found
    for rule in found:
        assert not {"*", "escalate", "bind", "impersonate"} & set(rule["verbs"]), rule
        assert "*" not in [*rule["apiGroups"], *rule["resources"]], rule
        resources = {resource.split("/")[0] for resource in rule["resources"]}
        # Pods read the Secrets that they are given; the operator reads none.
        assert not {"secrets", "serviceaccounts"} & resources, rule
        assert not {"pods/exec", "pods/attach", "nodes/proxy"} & set(rule["resources"]), rule
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"], rule
        assert "nonResourceURLs" not in rule, rule


def test_namespaces_bring_no_cluster_role(objects: Objects) -> None:
    found = objects("everything")
    assert not [one for one in found if one["kind"].startswith("ClusterRole")]
    places = {one["metadata"]["namespace"] for one in found if one["kind"] == "Role"}
    assert places == {"team-a", "team-b", "martlet-system"}


@pytest.mark.parametrize("values", VALUES)
def test_bindings_give_the_operator_and_nobody_else(objects: Objects, values: str) -> None:
    found = objects(values)
    roles = {(one["kind"], one["metadata"]["name"]) for one in found}
    bindings = [one for one in found if one["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    operator = {"kind": "ServiceAccount", "name": "martlet", "namespace": "martlet-system"}
    assert bindings
    for binding in bindings:
        assert binding["subjects"] == [operator]
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles


@pytest.mark.parametrize("values", VALUES)
def test_the_pod_is_a_restricted_one(objects: Objects, values: str) -> None:
    (deployment,) = [one for one in objects(values) if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        settings = container["securityContext"]
        assert settings["allowPrivilegeEscalation"] is False
        assert settings["readOnlyRootFilesystem"] is True
        assert settings["capabilities"] == {"drop": ["ALL"]}
