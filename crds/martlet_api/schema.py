"""Makes the structural CRD schemas from the classes.

``python -m martlet_api.schema FOLDER`` writes one file a kind; ``--check`` fails on a difference
instead. The API server wants structural schemas: no ``$ref``, no ``anyOf`` with null, no titles.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from martlet_api import GROUP, VERSION
from martlet_api.kinds import KINDS, Resource

HEADER = "# Made by `python -m martlet_api.schema`; do not edit.\n"
_DROPPED = ("title", "$defs", "discriminator", "examples")


def crd(cls: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{cls.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": cls.kind,
                "listKind": f"{cls.kind}List",
                "plural": cls.plural,
                "singular": cls.kind.lower(),
                "shortNames": list(cls.short_names),
                "categories": ["martlet"],
            },
            "versions": [_version(cls)],
        },
    }


def _version(cls: type[Resource]) -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(cls)},
        "subresources": {"status": {}, **({"scale": cls.scale} if hasattr(cls, "scale") else {})},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path} for name, kind, path in cls.columns
        ]
        + [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
    }


def _root(cls: type[Resource]) -> dict[str, Any]:
    schema = structural(cls.model_json_schema(by_alias=True, mode="validation"))
    name_rule = {
        "rule": "self.metadata.name.size() <= 52",
        "message": "metadata.name must be at most 52 characters, so that pods can be named "
        "after it; shorten it",
    }
    schema["x-kubernetes-validations"] = [
        name_rule,
        *schema.get("x-kubernetes-validations", []),
    ]
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        **schema["properties"],
    }
    return schema


def structural(schema: dict[str, Any]) -> dict[str, Any]:
    """A pydantic JSON schema as a structural one."""
    node = _convert(schema, schema.get("$defs", {}))
    assert isinstance(node, dict)
    return node


def _convert(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_convert(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        siblings = {k: v for k, v in node.items() if k != "$ref"}
        return _convert({**target, **siblings}, definitions)
    if "anyOf" in node and "x-kubernetes-int-or-string" not in node:
        return _convert(_without_null(node), definitions)
    out = {
        key: _properties(value, definitions)
        if key == "properties"
        else _convert(value, definitions)
        for key, value in node.items()
        if key not in (*_DROPPED, "const", "additionalProperties", "propertyNames")
    }
    _map_keys(node, out, definitions)
    _plain_words(node, out)
    return out


def _properties(properties: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Property names are data: one called ``title`` must stay."""
    return {name: _convert(value, definitions) for name, value in properties.items()}


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    members = [m for m in node["anyOf"] if m.get("type") != "null"]
    if len(members) != 1:
        raise ValueError(f"a union has no structural schema: {node}")
    rest = {k: v for k, v in node.items() if k not in ("anyOf", "default")}
    if node.get("default") is not None:
        rest["default"] = node["default"]
    return {**members[0], **rest}


def _map_keys(node: dict[str, Any], out: dict[str, Any], definitions: dict[str, Any]) -> None:
    """A map keeps ``additionalProperties``; unknown fields are left to strict decoding."""
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        out["additionalProperties"] = _convert(extra, definitions)


def _plain_words(node: dict[str, Any], out: dict[str, Any]) -> None:
    if "const" in node:
        out["enum"] = [node["const"]]
    if "default" in out:
        out["default"] = _set(out["default"])
        if out["default"] is None:
            del out["default"]
    for bound in ("Minimum", "Maximum"):
        exclusive = out.pop(f"exclusive{bound}", None)
        if exclusive is not None:
            out[bound.lower()] = exclusive
            out[f"exclusive{bound}"] = True


def _set(default: Any) -> Any:
    """A default without what is not set in it."""
    if isinstance(default, dict):
        return {key: _set(value) for key, value in default.items() if value is not None}
    return default


def render() -> dict[str, str]:
    """File name to content, of every kind."""
    return {
        f"{GROUP}_{cls.plural}.yaml": HEADER + yaml.safe_dump(crd(cls), sort_keys=False, width=100)
        for cls in KINDS.values()
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="fail on a difference, write nothing")
    args = parser.parse_args(argv)
    stale = [
        path
        for folder in args.folders
        for name, text in render().items()
        if not _is_current(path := folder / name, text, write=not args.check)
    ]
    if args.check and stale:
        print(f"differ from the classes: {', '.join(map(str, stale))}; run `make generate`")
        return 1
    return 0


def _is_current(path: Path, text: str, *, write: bool) -> bool:
    if path.exists() and path.read_text() == text:
        return True
    if write:
        path.write_text(text)
    return False


if __name__ == "__main__":
    sys.exit(main())
