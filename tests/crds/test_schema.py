"""The generator: structural schemas with bounds, and files that are what it makes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_api import schema
from martlet_api.conditions import Reason
from martlet_api.finetunejob import FineTuneJob
from martlet_api.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]


def nodes(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with its path; property names are not keywords."""
    if not isinstance(node, dict):
        return
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    yield from nodes(node.get("items"), f"{path}[]")
    yield from nodes(node.get("additionalProperties"), f"{path}{{}}")


def spec_nodes(kind: str) -> list[tuple[str, dict[str, Any]]]:
    version = schema.crd(KINDS[kind])["spec"]["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    return list(nodes(root["properties"]["spec"], "spec"))


@pytest.mark.parametrize("kind", KINDS)
def test_structural(kind: str) -> None:
    for path, node in spec_nodes(kind):
        assert not {"$ref", "title", "$defs", "const", "exclusiveMin"} & node.keys(), path
        assert "anyOf" not in node or node["x-kubernetes-int-or-string"], path
        assert node.get("default", ...) is not None, path


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_bounded(kind: str) -> None:
    for path, node in spec_nodes(kind):
        if node.get("type") == "string":
            assert "maxLength" in node or "enum" in node, path
        if node.get("type") == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


def test_the_files_are_current() -> None:
    folders = [str(ROOT / "crds"), str(ROOT / "charts" / "martlet" / "crds")]
    assert schema.main(["--check", *folders]) == 0


def test_a_difference_is_told_and_nothing_written(tmp_path: Path, capsys: Any) -> None:
    assert schema.main(["--check", str(tmp_path)]) == 1
    assert "run `make generate`" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_union_has_no_structural_schema() -> None:
    with pytest.raises(ValueError, match="union"):
        schema.structural({"anyOf": [{"type": "string"}, {"type": "integer"}]})


def test_a_property_may_be_called_as_a_keyword() -> None:
    made = schema.structural({"properties": {"title": {"type": "string", "title": "Title"}}})
    assert made == {"properties": {"title": {"type": "string"}}}


def test_reasons_are_camel_case_words() -> None:
    for reason in Reason:
        assert reason.value.isidentifier()
        assert reason.value[0].isupper()
        words = "".join(f"_{c}" if c.isupper() else c for c in reason)
        assert reason.name == words.strip("_").upper()


@given(
    epochs=st.floats(0.1, 1000),
    rank=st.none() | st.integers(1, 512),
    size=st.integers(1, 64),
    cpu=st.integers(0, 64) | st.sampled_from(["500m", "2", "1.5"]),
)
def test_what_a_class_writes_it_reads_again(
    epochs: float, rank: int | None, size: int, cpu: int | str
) -> None:
    spec = {
        "model": {"uri": "hf://a/b", "revision": "main"},
        "datasets": [{"uri": "pvc://d/t.jsonl"}],
        "output": {"uri": "pvc://m"},
        "tuner": {"rank": rank} if rank else {},
        "hyperparameters": {"epochs": epochs, "globalBatchSize": size, "microBatchSize": size},
        "pod": {"resources": {"requests": {"cpu": cpu}}},
    }
    job = FineTuneJob.model_validate({"spec": spec})
    assert FineTuneJob.model_validate(job.to_dict()) == job
    assert job.spec.pod.resources is not None
    assert job.spec.pod.resources.requests == {"cpu": str(cpu)}
