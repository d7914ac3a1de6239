"""Scoring on the cluster: a baseline, perplexity by the engine, and work that is shared."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import yaml

from demo import story
from demo.kube import Kube, Object
from test_bad_input import pod_beside
from test_training import FILES as MODEL
from test_training import reason

pytestmark = pytest.mark.cluster

NAMESPACE = "scoring"
DEADLINE_SECONDS = 600
WORKING = ("baseline", "evaluate")

FILES = (
    MODEL
    + """
import os, random
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained('/mnt/pvc/data/model')
with torch.no_grad():
    for weights in model.parameters():
        weights.add_(torch.randn_like(weights) * 0.5)
model.save_pretrained('/mnt/pvc/data/worse')
made_of = PreTrainedTokenizerFast(tokenizer_object=made, eos_token='</s>', pad_token='</s>',
                                  chat_template=template)
made_of.save_pretrained('/mnt/pvc/data/worse')
random.seed(1)
open('/mnt/pvc/data/text.txt', 'w').write(' '.join(random.choices(words[2:], k=1500)))
from martlet_runtime.perplexity import perplexity, tokens_of
for name in ('model', 'worse'):
    loaded = AutoModelForCausalLM.from_pretrained(f'/mnt/pvc/data/{name}', dtype=torch.float32)
    print(name, perplexity(loaded, tokens_of(made_of, open('/mnt/pvc/data/text.txt').read())))
card = '''---
configs:
- config_name: logic
  data_files:
  - {split: val, path: val.jsonl}
  - {split: dev, path: val.jsonl}
---
'''
os.makedirs('/mnt/pvc/data/ceval', exist_ok=True)
open('/mnt/pvc/data/ceval/README.md', 'w').write(card)
asked = [{'id': n, 'question': f'w{n}', 'A': 'w1', 'B': 'w2', 'C': 'w3', 'D': 'w4',
          'answer': 'ABCD'[n % 4], 'explanation': ''} for n in range(4)]
open('/mnt/pvc/data/ceval/val.jsonl', 'w').writelines(json.dumps(row) + chr(10) for row in asked)
"""
)


def run(name: str, model: str, **limits: float) -> Object:
    bound = [{"metric": "perplexity", "against": "Baseline", **limits}]
    suites = [
        {
            "name": "text",
            "benchmark": "perplexity",
            "dataset": {"uri": "pvc://data/text.txt"},
            "thresholds": bound,
        },
        {
            "name": "rows",
            "benchmark": "general_qa",
            "dataset": {"uri": "pvc://data/rows.jsonl", "maxSamples": 4},
        },
        {
            "name": "ceval",
            "benchmark": "ceval",
            "dataset": {"uri": "pvc://data/ceval"},
            "subsets": ["logic"],
            "fewShot": 0,
        },
    ]
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": "EvalRun",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": {"uri": f"pvc://data/{model}"},
            "baseline": {"uri": "pvc://data/model"},
            "suites": suites,
            "generation": {"maxTokens": 8},
            "output": {"uri": "pvc://data/scores"},
        },
    }


@pytest.fixture(scope="module")
def ground(kube: Kube) -> Iterator[Kube]:
    """A restricted namespace with two small models and test sets on a volume."""
    kube("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"apiVersion": "v1", "kind": "Namespace"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
    objects = [
        {**space, "metadata": {"name": NAMESPACE, "labels": enforce}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": NAMESPACE, "name": "data"},
            "spec": claim,
        },
        pod_beside("files", FILES, NAMESPACE),
    ]
    kube.apply(yaml.safe_dump_all(objects))
    done = "--for=jsonpath={.status.phase}=Succeeded"
    kube("wait", done, "pod/files", "-n", NAMESPACE, "--timeout=180s")
    yield kube
    kube("delete", "namespace", NAMESPACE, "--wait")


def until(kube: Kube, name: str, *reasons: str) -> Object:
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        item = kube.get("evalrun", name, NAMESPACE)
        assert item is not None
        status: Object = item.get("status") or {}
        if reason(status) in reasons:
            return status
        assert not status.get("run", {}).get("finishedAt"), story.describe(item)
        assert time.monotonic() < end, story.describe(item)
        time.sleep(0.2)


def stages(kube: Kube, name: str) -> set[str]:
    pods = kube.list("pods", NAMESPACE, f"martlet.dev/name={name}")
    return {pod["metadata"]["labels"]["martlet.dev/stage"] for pod in pods}


@pytest.fixture(scope="module")
def told(ground: Kube) -> dict[str, float]:
    """Perplexities as transformers computes them in full precision."""
    lines = (line.split() for line in ground("logs", "files", "-n", NAMESPACE).splitlines())
    return {line[0]: float(line[1]) for line in lines if len(line) == 2}


def test_a_model_that_is_worse_than_its_baseline_fails(
    ground: Kube, told: dict[str, float]
) -> None:
    """Two ask for the same at once: one scores, the other waits and takes over."""
    strict = run("strict", "worse", maxIncreasePercent=5)
    lax = run("lax", "worse", maxIncreasePercent=10_000_000)
    ground.apply(yaml.safe_dump(strict))
    until(ground, "strict", "Evaluating")
    ground.apply(yaml.safe_dump(lax))
    until(ground, "lax", "WaitingForScores")
    failed = until(ground, "strict", "ThresholdNotMet")
    passed = until(ground, "lax", "Passed")
    assert stages(ground, "strict") == {"preflight", *WORKING, "compare"}
    assert stages(ground, "lax") == {"preflight"}
    assert passed["measured"] == failed["measured"]
    assert passed["measured"]["by"].startswith("EvalRun/strict ")
    text, rows, ceval = failed["scores"]
    print(text, rows, ceval, told)
    # The engine computes in 16 bits.
    assert text["baseline"] == pytest.approx(told["model"], rel=0.02)
    assert text["value"] == pytest.approx(told["worse"], rel=0.1)
    assert text["detail"].endswith("windows of 512, stride 512")
    assert (rows["samples"], ceval["metric"], ceval["samples"]) == (4, "mean_acc", 4)
    assert failed["verdict"]["passed"] is False
    assert passed["verdict"]["key"] == failed["verdict"]["key"]
    assert passed["comparison"] == failed["comparison"]
    assert text["worse"] > text["better"]


def test_a_threshold_that_is_changed_is_judged_without_scoring_again(ground: Kube) -> None:
    began = time.monotonic()
    ground.apply(yaml.safe_dump(run("again", "worse", maxIncreasePercent=6)))
    until(ground, "again", "ThresholdNotMet")
    print(f"a verdict on known scores took {time.monotonic() - began:.1f} s with its preflight")
    assert stages(ground, "again") == {"preflight"}
