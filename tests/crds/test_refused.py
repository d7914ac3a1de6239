"""What the API server refuses, with a message that names the field and the mend."""

from typing import Any

import pytest
from manifests import manifest, spoiled

pytestmark = pytest.mark.apiserver

FTJ, EVR, QM, MSVC = "FineTuneJob", "EvalRun", "QuantizedModel", "InferenceService"
REFERENCE = {"kind": "FineTuneJob", "name": "other"}
SUITE = {"name": "qa", "benchmark": "general_qa", "dataset": {"uri": "pvc://d/t.jsonl"}}

ROWS: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    # model sources
    ("both uri and from", FTJ, {"spec.model.from": REFERENCE},
     ("spec.model", "exactly one of uri and from must be set")),
    ("neither uri nor from", FTJ, {"spec.model": {}},
     ("spec.model", "exactly one of uri and from must be set")),
    ("no model at all", FTJ, {"spec.model": None}, ("spec.model", "Required value")),
    ("unknown scheme", FTJ, {"spec.model.uri": "ftp://a/b"}, ("spec.model.uri", "hf|ms|s3|pvc")),
    ("a space in a uri", FTJ, {"spec.model.uri": "pvc://a/b c"}, ("spec.model.uri",)),
    ("a uri too long", FTJ, {"spec.model.uri": "pvc://" + "a" * 1100},
     ("spec.model.uri", "Too long", "1024")),
    ("revision of a volume", FTJ, {"spec.model.revision": "main"},
     ("spec.model", "revision belongs to hf:// and ms:// URIs; remove it")),
    ("revision of a reference", FTJ, {"spec.model": {"from": REFERENCE, "revision": "main"}},
     ("spec.model", "revision belongs to")),
    ("secret of a reference", FTJ,
     {"spec.model": {"from": REFERENCE, "secretRef": {"name": "token"}}},
     ("spec.model", "secretRef belongs to uri; remove it")),
    ("a reference to itself", FTJ, {"spec.model": {"from": {"kind": FTJ, "name": "sample"}}},
     ("spec.model.from must not name the resource itself; name another",)),
    ("training a quantized model", FTJ, {"spec.model": {"from": {"kind": QM, "name": "q"}}},
     ("spec.model.from.kind", '"FineTuneJob"')),
    ("serving an EvalRun", MSVC, {"spec.model": {"from": {"kind": EVR, "name": "q"}}},
     ("spec.model.from.kind", '"QuantizedModel"')),
    ("a name that is no label", EVR, {"spec.model": {"from": {"kind": FTJ, "name": "A_b"}}},
     ("spec.model.from.name",)),
    ("a resource's name too long", FTJ, {"metadata.name": "a" * 53},
     ("metadata.name must be at most 52 characters", "shorten it")),
    # FineTuneJob
    ("unknown field", FTJ, {"spec.learningrate": 1}, ('unknown field "spec.learningrate"',)),
    ("unknown field deep down", FTJ, {"spec.tuner.ranks": 1},
     ('unknown field "spec.tuner.ranks"',)),
    ("no data", FTJ, {"spec.datasets": []}, ("spec.datasets", "at least 1 items")),
    ("too much data", FTJ, {"spec.datasets": [{"uri": "pvc://d/a.jsonl"}] * 17},
     ("spec.datasets", "at most 16 items")),
    ("data by reference", FTJ, {"spec.datasets": [{"from": REFERENCE}]},
     ('unknown field "spec.datasets[0].from"',)),
    ("zero samples", FTJ, {"spec.datasets.0.maxSamples": 0},
     ("spec.datasets[0].maxSamples", "greater than or equal to 1")),
    ("unknown method", FTJ, {"spec.method": "PPO"}, ("spec.method", '"SFT"')),
    ("unknown tuner", FTJ, {"spec.tuner.type": "QLoRA"}, ("spec.tuner.type", '"LoRA", "Full"')),
    ("rank with Full", FTJ, {"spec.tuner": {"type": "Full", "rank": 8}},
     ("spec.tuner", "belong to type LoRA; remove them for Full")),
    ("rsLoRA with Full", FTJ, {"spec.tuner": {"type": "Full", "useRslora": True}},
     ("spec.tuner", "useRslora belongs to type LoRA; remove it for Full")),
    ("no checkpoint kept", FTJ, {"spec.checkpoint": {"keep": 0}},
     ("spec.checkpoint.keep", "greater than or equal to 1")),
    ("unknown packing", FTJ, {"spec.hyperparameters": {"packing": "Always"}},
     ("spec.hyperparameters.packing", '"Auto", "Enabled", "Disabled"')),
    ("negative rank", FTJ, {"spec.tuner": {"rank": -1}}, ("spec.tuner.rank", "greater than")),
    ("dropout of one", FTJ, {"spec.tuner": {"dropout": 1}}, ("spec.tuner.dropout", "less than 1")),
    ("no target modules", FTJ, {"spec.tuner": {"targetModules": []}},
     ("spec.tuner.targetModules", "at least 1 items")),
    ("zero epochs", FTJ, {"spec.hyperparameters.epochs": 0},
     ("spec.hyperparameters.epochs", "greater than 0")),
    ("negative learning rate", FTJ, {"spec.hyperparameters.learningRate": -1e-4},
     ("spec.hyperparameters.learningRate", "greater than 0")),
    ("a word for a number", FTJ, {"spec.hyperparameters.maxLength": "long"},
     ("spec.hyperparameters.maxLength", "must be of type integer")),
    ("batches that do not divide", FTJ,
     {"spec.hyperparameters": {"globalBatchSize": 10, "microBatchSize": 4}},
     ("globalBatchSize must be a multiple of microBatchSize",)),
    ("unknown precision", FTJ, {"spec.precision": "FP8"}, ("spec.precision", '"BF16"')),
    ("more than half for validation", FTJ, {"spec.validation": {"fraction": 0.9}},
     ("spec.validation.fraction", "less than or equal to 0.5")),
    ("output to a hub", FTJ, {"spec.output.uri": "hf://a/b"}, ("spec.output.uri", "^pvc://")),
    ("no output", FTJ, {"spec.output": None}, ("spec.output", "Required value")),
    ("too many retries", FTJ, {"spec.retries": {"limit": 21}},
     ("spec.retries.limit", "less than or equal to 20")),
    ("negative retries", FTJ, {"spec.retries": {"limit": -1}},
     ("spec.retries.limit", "greater than or equal to 0")),
    # pods
    ("accelerator without a domain", FTJ, {"spec.pod": {"accelerator": "gpu"}},
     ("spec.pod.accelerator",)),
    ("a count of no accelerator", FTJ, {"spec.pod": {"acceleratorsPerPod": 2}},
     ("spec.pod", "acceleratorsPerPod needs accelerator: name the resource")),
    ("a quantity that is none", FTJ, {"spec.pod": {"resources": {"limits": {"memory": "lots"}}}},
     ("spec.pod.resources.limits.memory",)),
    ("a negative quantity", FTJ, {"spec.pod": {"resources": {"requests": {"cpu": "-1"}}}},
     ("spec.pod.resources.requests.cpu",)),
    ("a negative quantity without quotes", FTJ,
     {"spec.pod": {"resources": {"requests": {"cpu": -1}}}},
     ("spec.pod.resources.requests.cpu", "greater than or equal to 0")),
    ("a toleration's effect", FTJ, {"spec.pod": {"tolerations": [{"effect": "Never"}]}},
     ("spec.pod.tolerations[0].effect", '"NoSchedule"')),
    ("an empty image", FTJ, {"spec.pod": {"image": ""}}, ("spec.pod.image", "at least 1 chars")),
    # EvalRun
    ("no suites", EVR, {"spec.suites": []}, ("spec.suites", "at least 1 items")),
    ("too many suites", EVR,
     {"spec.suites": [{**SUITE, "name": f"s{i}"} for i in range(17)]},
     ("spec.suites", "at most 16 items")),
    ("the same suite twice", EVR, {"spec.suites": [SUITE, SUITE]},
     ("spec.suites[1]", "Duplicate value")),
    ("unknown benchmark", EVR, {"spec.suites.0.benchmark": "mmlu"},
     ("spec.suites[0].benchmark", '"general_qa"')),
    ("a threshold without a bound", EVR, {"spec.suites.0.thresholds": [{"metric": "a"}]},
     ("spec.suites[0].thresholds[0]", "set min, max or both")),
    ("min above max", EVR, {"spec.suites.0.thresholds": [{"metric": "a", "min": 2, "max": 1}]},
     ("spec.suites[0].thresholds[0]", "min must not exceed max")),
    ("a suite's name", EVR, {"spec.suites.0.name": "My Suite"}, ("spec.suites[0].name",)),
    ("a temperature too hot", EVR, {"spec.generation": {"temperature": 3}},
     ("spec.generation.temperature", "less than or equal to 2")),
    ("no tokens", EVR, {"spec.generation": {"maxTokens": 0}},
     ("spec.generation.maxTokens", "greater than or equal to 1")),
    # engines
    ("unknown engine", MSVC, {"spec.engine": {"type": "SGLang"}}, ("spec.engine.type", '"vLLM"')),
    ("an argument of Martlet's", MSVC, {"spec.engine": {"args": ["--model", "x"]}},
     ("spec.engine", "args must not hold what Martlet sets itself", "--model")),
    ("an argument of Martlet's in one word", MSVC, {"spec.engine": {"args": ["--port=1"]}},
     ("spec.engine", "args must not hold what Martlet sets itself")),
    ("code from the model", EVR, {"spec.engine": {"args": ["--trust-remote-code"]}},
     ("spec.engine", "args must not hold")),
    ("code from the model, with underscores", MSVC,
     {"spec.engine": {"args": ["--trust_remote_code"]}},
     ("spec.engine", "args must not hold", "remove it")),
    ("code from the model, abbreviated", EVR, {"spec.engine": {"args": ["--trust-rem"]}},
     ("spec.engine", "nor an abbreviation of it")),
    ("a model by an abbreviation", MSVC, {"spec.engine": {"args": ["--mod=x"]}},
     ("spec.engine", "nor an abbreviation of it")),
    ("a model by a dotted argument", MSVC, {"spec.engine": {"args": ["--model.a=x"]}},
     ("spec.engine", "nor an abbreviation of it")),
    ("a file of arguments", MSVC, {"spec.engine": {"args": ["--config", "/a.yaml"]}},
     ("spec.engine", "args must not hold", "--config")),
    ("a length too short", MSVC, {"spec.engine": {"maxModelLen": 1}},
     ("spec.engine.maxModelLen", "greater than or equal to 16")),
    # QuantizedModel
    ("no rungs", QM, {"spec.ladder": []}, ("spec.ladder", "at least 1 items")),
    ("too many rungs", QM, {"spec.ladder": [{"method": "W8A8"}] * 9},
     ("spec.ladder", "at most 8 items")),
    ("unknown compression", QM, {"spec.ladder": [{"method": "AWQ"}]},
     ("spec.ladder[0].method", '"W8A8"')),
    ("a group size where there is none", QM,
     {"spec.ladder": [{"method": "W8A8", "groupSize": 128}]},
     ("spec.ladder[0]", "groupSize belongs to method GPTQ; remove it")),
    ("an odd group size", QM, {"spec.ladder": [{"method": "GPTQ", "groupSize": 100}]},
     ("spec.ladder[0].groupSize", '"32", "64", "128"')),
    ("no gate", QM, {"spec.gate": None}, ("spec.gate", "Required value")),
    ("a negative gate", QM, {"spec.gate.perplexity.maxIncreasePercent": -1},
     ("spec.gate.perplexity.maxIncreasePercent", "greater than or equal to 0")),
    ("no calibration rows", QM, {"spec.calibration.samples": 0},
     ("spec.calibration.samples", "greater than or equal to 1")),
    # InferenceService
    ("fewer than no replicas", MSVC, {"spec.replicas": -1},
     ("spec.replicas", "greater than or equal to 0")),
    ("the same gate twice", MSVC, {"spec.gates": [{"evalRun": "a"}, {"evalRun": "a"}]},
     ("spec.gates[1]", "Duplicate value")),
    ("no hostname", MSVC, {"spec.endpoint.hostnames": []},
     ("spec.endpoint.hostnames", "at least 1 items")),
    ("a hostname that is none", MSVC, {"spec.endpoint.hostnames": ["Http://x"]},
     ("spec.endpoint.hostnames[0]",)),
    ("no gateway", MSVC, {"spec.endpoint.gateway": None},
     ("spec.endpoint.gateway", "Required value")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "patch", "says"), ROWS, ids=[row[0] for row in ROWS])
def test_refused(
    kubectl: Any, name: str, kind: str, patch: dict[str, Any], says: tuple[str, ...]
) -> None:
    done = kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        manifest=spoiled(kind, patch),
    )
    assert done.returncode != 0, f"accepted: {done.stdout}"
    for text in says:
        assert text in done.stderr


@pytest.mark.parametrize("kind", [FTJ, QM])
def test_the_output_cannot_be_changed(kubectl: Any, kind: str) -> None:
    assert kubectl("create", "-f", "-", manifest=manifest(kind)).returncode == 0
    done = kubectl("apply", "-f", "-", manifest=spoiled(kind, {"spec.output.uri": "pvc://other"}))
    assert done.returncode != 0
    assert "output.uri cannot be changed" in done.stderr
    assert "create a new resource to write somewhere else" in done.stderr
    kubectl("delete", kind, "sample")
