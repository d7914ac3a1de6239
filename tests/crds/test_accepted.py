"""What the API server takes, and how the kinds show up in kubectl."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifests import manifest, spoiled

from martlet_api.kinds import KINDS
from martlet_api.quantizedmodel import QuantizedModelStatus

pytestmark = pytest.mark.apiserver

ROOT = Path(__file__).resolve().parents[2]
DIGEST = f"sha256:{'0' * 64}"
DOCUMENTS = [
    (f"{path.relative_to(ROOT)}:{document['metadata']['name']}", document)
    for path in sorted(ROOT.glob("examples/**/*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
    if document["kind"] in KINDS
]


@pytest.mark.parametrize("document", [d for _, d in DOCUMENTS], ids=[n for n, _ in DOCUMENTS])
def test_examples(kubectl: Any, document: dict[str, Any]) -> None:
    here = {**document, "metadata": {**document["metadata"], "namespace": "default"}}
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", manifest=here)
    assert done.returncode == 0, done.stderr


def test_schemas_are_structural(kubectl: Any) -> None:
    found = json.loads(kubectl("get", "crd", "-o", "json").stdout)["items"]
    assert {crd["spec"]["names"]["kind"] for crd in found} == set(KINDS)
    for crd in found:
        conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_those_of_the_class(kubectl: Any, kind: str) -> None:
    done = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", manifest=manifest(kind))
    live = json.loads(done.stdout)["spec"]
    spec = KINDS[kind].model_validate({"spec": manifest(kind)["spec"]}).spec
    assert live == spec.to_dict()


REWARD = {"type": "NumberMatch", "column": "answer", "weight": 2}


@pytest.mark.parametrize(
    "patch",
    [
        {"spec.method": "PT"},
        {"spec.method": "DPO", "spec.hyperparameters": {"beta": 0.2}},
        {"spec.method": "KTO", "spec.hyperparameters": {"desirableWeight": 1.3}},
        {"spec.method": "GRPO", "spec.rewards": [REWARD, {"type": "HTTP", "url": "http://a/b"}],
         "spec.hyperparameters": {"numGenerations": 4, "globalBatchSize": 12}},
        {"spec.method": "GKD", "spec.teacher": {"uri": "hf://a/b", "revision": "main"},
         "spec.hyperparameters": {"lmbda": 0, "maxCompletionLength": 64}},
        {"spec.tuner": {"type": "Full"}, "spec.hyperparameters": {"optimizer": "GaLore"}},
        {"spec.tuner": {"type": "LoRA", "initLoraWeights": "PiSSA", "loraplusLrRatio": 16,
                        "useRslora": True, "merge": True}},
        {"spec.tuner": {"type": "VeRA", "rank": 1024}},
        {"spec.onBadRows": "Skip", "spec.badRowsLimit": 3, "spec.audit": {"approval": "Required"},
         "spec.validation": {"dataset": {"uri": "pvc://d/v.jsonl"}},
         "spec.datasets": [{"uri": "pvc://d/a", "weight": 1, "format": "CSV"},
                           {"uri": "pvc://d/b.jsonl", "weight": 2.5}]},
    ],
)  # fmt: skip
def test_training_settings(kubectl: Any, patch: dict[str, Any]) -> None:
    done = kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        manifest=spoiled("FineTuneJob", patch),
    )
    assert done.returncode == 0, done.stderr


def test_contaminated_test_sets_may_be_refused(kubectl: Any) -> None:
    reference = {"from": {"kind": "QuantizedModel", "name": "small"}}
    wanted = spoiled("EvalRun", {"spec.contamination": "Refuse", "spec.model": reference})
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", manifest=wanted)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "patch",
    [
        {"spec.service": {"name": "chat"}},
        {"spec.service": {"name": "chat", "revision": "chat-2d56a4b3"},
         "spec.pod": {"nodeSelector": {"zone": "a"}, "priorityClassName": "high"}},
        {"spec.service": {"name": "chat"}, "spec.baseline": {"uri": "pvc://data/base"},
         "spec.engine": {"maxModelLen": 64}, "spec.pod": {"accelerator": "nvidia.com/gpu"}},
    ],
)  # fmt: skip
def test_a_service_is_scored(kubectl: Any, patch: dict[str, Any]) -> None:
    done = kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        manifest=spoiled("EvalRun", {"spec.model": None, **patch}),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"strategy": "LLM", "scoreType": "Numeric", "promptTemplate": "Rate {pred}."},
        {"scoreMapping": {"A": 1, "B": 0.5, "C": 0}, "systemPrompt": "Judge kindly."},
    ],
)
def test_answers_are_judged(kubectl: Any, asked: dict[str, Any]) -> None:
    judge = {"endpoint": "http://judge.team.svc:8080/v1", "model": "org/judge-7b",
             "maxTokens": 512, "secretRef": {"name": "judge"}}  # fmt: skip
    done = kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        manifest=spoiled("EvalRun", {"spec.judge": judge, "spec.suites.0.judge": asked}),
    )
    assert done.returncode == 0, done.stderr


def test_rules_may_be_asked_for_without_a_judge(kubectl: Any) -> None:
    done = kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        manifest=spoiled("EvalRun", {"spec.suites.0.judge": {"strategy": "Rule"}}),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("vLLM", ["--max-num-seqs", "4", "--model-impl=auto", "--compilation-config",
                  '{"level": 0}', "-O3"]),
        ("LMDeploy", ["--model-format=awq", "--cache-max-entry-count", "0.5"]),
        ("SGLang", ["--mem-fraction-static", "0.8", "--load-format=auto"]),
    ],
)  # fmt: skip
def test_other_arguments_of_the_engine(kubectl: Any, type_: str, words: list[str]) -> None:
    done = kubectl(
        *("create", "--dry-run=server", "-f", "-"),
        manifest=spoiled("InferenceService", {"spec.engine": {"type": type_, "args": words}}),
    )
    assert done.returncode == 0, done.stderr


def test_a_canary(kubectl: Any) -> None:
    guards = [
        {"metric": "ErrorRate", "tolerance": 1.5, "margin": 0.005, "critical": True},
        {"metric": "ErrorRate", "name": "errors-at-most", "slo": 0.02},
        {"metric": "TimeToFirstToken", "tolerance": 1.25, "slo": 2, "quantile": 0.99},
        {
            "metric": "PromQL",
            "name": "satisfaction",
            "query": 'avg(csat{revision="{{revision}}"})',
            "direction": "HigherIsBetter",
            "tolerance": 1.05,
        },
    ]
    canary = {
        "steps": [
            {"weight": 5, "minDuration": "5m", "minRequests": 200},
            {"weight": 50, "minDuration": "1h30m"},
            {"weight": 100},
        ],
        "guards": guards,
        "onInconclusive": "Rollback",
        "maxDuration": "2h",
        "bakeTime": "0s",
    }
    patch = {"spec.canary": canary, "spec.rollout": {"strategy": "Replace"}}
    done = kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        manifest=spoiled("InferenceService", patch),
    )
    assert done.returncode == 0, done.stderr


def test_autoscalers_of_the_examples(kubectl: Any) -> None:
    """The API server takes the HPA, and both name the service of the other example."""
    folder = ROOT / "examples" / "serving"
    hpa, keda = (yaml.safe_load((folder / name).read_text()) for name in ("hpa.yaml", "keda.yaml"))
    here = {**hpa, "metadata": {**hpa["metadata"], "namespace": "default"}}
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", manifest=here)
    assert done.returncode == 0, done.stderr
    served = yaml.safe_load((folder / "canary.yaml").read_text())
    target = {"name": "support", "kind": "InferenceService", "apiVersion": served["apiVersion"]}
    assert hpa["spec"]["scaleTargetRef"] == keda["spec"]["scaleTargetRef"] == target


def test_short_names_category_and_columns(kubectl: Any) -> None:
    for kind in KINDS:
        assert kubectl("create", "-f", "-", manifest=manifest(kind)).returncode == 0
    listed = kubectl("get", "martlet", "-o", "name").stdout
    for cls in KINDS.values():
        assert f"{cls.kind.lower()}.martlet.dev/sample" in listed
        header = kubectl("get", cls.short_names[0]).stdout.splitlines()[0]
        for name, _, _ in cls.columns:
            assert name.upper() in header
        kubectl("delete", cls.plural, "sample")


def test_an_inference_service_can_be_scaled(kubectl: Any) -> None:
    assert kubectl("create", "-f", "-", manifest=manifest("InferenceService")).returncode == 0
    done = kubectl("scale", "msvc/sample", "--replicas=3")
    assert done.returncode == 0, done.stderr
    assert kubectl("get", "msvc", "sample", "-o", "jsonpath={.spec.replicas}").stdout == "3"
    kubectl("delete", "msvc", "sample")


@pytest.mark.parametrize(
    "patch",
    [
        {"spec.ladder": None},
        {"spec.ladder": None, "spec.workload": "Offline"},
        {"spec.workload": "Online", "spec.ladder": [{"method": "AWQ", "bits": 4, "groupSize": 128},
         {"method": "AutoRound", "bits": 4, "groupSize": 32},
         {"method": "GPTQ", "bits": 8, "groupSize": 128}, {"method": "FP8"}]},
        {"spec.verification": {"maxModelLen": 4096, "args": ["--dtype", "float16"],
                               "image": "registry.example.com/vllm-rocm:1"}},
    ],
)  # fmt: skip
def test_quantization_settings(kubectl: Any, patch: dict[str, Any]) -> None:
    wanted = spoiled("QuantizedModel", patch)
    done = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", manifest=wanted)
    assert done.returncode == 0, done.stderr


def test_a_status_of_what_was_verified_is_kept_whole(kubectl: Any) -> None:
    artifact = {"uri": "pvc://m/q/r", "digest": DIGEST, "format": "compressed-tensors", "bytes": 9}
    verified = {
        "digest": DIGEST,
        "engine": "vLLM",
        "version": "0.32.0",
        "image": "vllm-cpu:1",
        "secondsToFirstAnswer": 41.3,
        "chat": True,
        "at": "2026-11-25T12:00:00Z",
    }
    wanted = {"phase": "Verifying", "candidate": artifact, "verified": verified}
    assert kubectl("create", "-f", "-", manifest=manifest("QuantizedModel")).returncode == 0
    patch = json.dumps({"status": wanted})
    done = kubectl("patch", "qm", "sample", "--subresource=status", "--type=merge", "-p", patch)
    assert done.returncode == 0, done.stderr
    live = json.loads(kubectl("get", "qm", "sample", "-o", "json").stdout)["status"]
    kubectl("delete", "qm", "sample")
    assert live == QuantizedModelStatus.model_validate(wanted).to_dict() == wanted
