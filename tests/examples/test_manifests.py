"""The quickstart's manifests: of our classes, consistent, and with no image but the built one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from martlet_api.kinds import KINDS

FOLDER = Path(__file__).resolve().parents[2] / "examples/quickstart"
FILES = sorted(FOLDER.glob("*.yaml"))


def objects() -> list[dict[str, Any]]:
    return [item for path in FILES for item in yaml.safe_load_all(path.read_text()) if item]


OURS = [item for item in objects() if item["apiVersion"].startswith("martlet.dev/")]


def test_the_quickstart_uses_all_four_kinds() -> None:
    assert {item["kind"] for item in OURS} == set(KINDS)


@pytest.mark.parametrize(
    "item", OURS, ids=lambda item: f"{item['kind']}-{item['metadata']['name']}"
)
def test_every_resource_is_of_our_classes(item: dict[str, Any]) -> None:
    assert KINDS[item["kind"]].model_validate({"spec": item["spec"]}).spec


def references(value: Any) -> list[tuple[str, str]]:
    """Every ``from: {kind, name}`` and ``evalRun`` in a spec."""
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if not isinstance(value, dict):
        return []
    own = [(value["from"]["kind"], value["from"]["name"])] if "from" in value else []
    own += [("EvalRun", value["evalRun"])] if "evalRun" in value else []
    return own + [found for each in value.values() for found in references(each)]


def test_every_reference_leads_to_a_resource_of_the_quickstart() -> None:
    names = {(item["kind"], item["metadata"]["name"]) for item in OURS}
    wanted = [found for item in OURS for found in references(item["spec"])]
    assert len(wanted) >= 4
    assert set(wanted) <= names


def test_the_namespace_is_restricted() -> None:
    (namespace,) = [item for item in objects() if item["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {item["metadata"]["namespace"] for item in OURS} == {namespace["metadata"]["name"]}


def claims(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {name for each in value.values() for name in claims(each)}
    if isinstance(value, list):
        return {name for each in value for name in claims(each)}
    text = str(value)
    return {text.removeprefix("pvc://").partition("/")[0]} if text.startswith("pvc://") else set()


def test_every_claim_that_is_named_is_made() -> None:
    made = {i["metadata"]["name"] for i in objects() if i["kind"] == "PersistentVolumeClaim"}
    assert claims([item["spec"] for item in OURS]) == made
