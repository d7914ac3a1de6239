"""Small valid manifests of the four kinds, and a way to spoil them."""

import copy
from typing import Any

Object = dict[str, Any]

_SPECS: dict[str, Object] = {
    "FineTuneJob": {
        "model": {"uri": "pvc://data/base"},
        "datasets": [{"uri": "pvc://data/train.jsonl"}],
        "output": {"uri": "pvc://models"},
    },
    "EvalRun": {
        "model": {"uri": "pvc://data/base"},
        "suites": [
            {
                "name": "qa",
                "benchmark": "general_qa",
                "dataset": {"uri": "pvc://data/test.jsonl"},
                "thresholds": [{"metric": "Rouge-L-R", "min": 0.5}],
            }
        ],
    },
    "QuantizedModel": {
        "model": {"from": {"kind": "FineTuneJob", "name": "tuned"}},
        "ladder": [{"method": "W8A8"}],
        "calibration": {"dataset": {"uri": "pvc://data/train.jsonl"}},
        "gate": {"perplexity": {"dataset": {"uri": "pvc://data/text.txt"}}},
        "output": {"uri": "pvc://models"},
    },
    "InferenceService": {
        "model": {"from": {"kind": "QuantizedModel", "name": "small"}},
        "gates": [{"evalRun": "qa"}],
        "endpoint": {"gateway": {"name": "models"}, "hostnames": ["a.example.com"]},
    },
}


def manifest(kind: str, name: str = "sample") -> Object:
    """A valid manifest."""
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": copy.deepcopy(_SPECS[kind]),
    }


def spoiled(kind: str, patch: Object) -> Object:
    """The manifest with values set by path (``spec.model.uri``; None removes)."""
    out = manifest(kind)
    for path, value in patch.items():
        *parents, last = path.split(".")
        node: Any = out
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
        key = int(last) if isinstance(node, list) else last
        if value is None:
            del node[key]
        else:
            node[key] = value
    return out
