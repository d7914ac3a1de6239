"""Training on the cluster: two pods that learn what one does, and nothing lost when pods go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import yaml

from demo import story
from demo.kube import Kube, Object
from test_bad_input import pod_beside

pytestmark = pytest.mark.cluster

NAMESPACE = "training"
DEADLINE_SECONDS = 300
UNTRAINED = 3.47
"""The loss of one word among 32, before anything is learnt."""
STRATEGIES = ("DDP", "FSDP", "ZeRO3")
LONG = 400
"""Steps: long enough to be interrupted."""

FILES = """
import json, torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
words = ['a', '</s>', *(f'w{n}' for n in range(30))]
made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token='a'))
made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
template = '{% for m in messages %}{{ m["content"] }} </s> {% endfor %}'
PreTrainedTokenizerFast(tokenizer_object=made, eos_token='</s>', pad_token='</s>',
                        chat_template=template).save_pretrained('/mnt/pvc/data/model')
torch.manual_seed(0)
Qwen2ForCausalLM(Qwen2Config(vocab_size=len(words), hidden_size=64, intermediate_size=128,
    num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    pad_token_id=1, eos_token_id=1)).save_pretrained('/mnt/pvc/data/model')
rows = [{'query': f'w{n % 29}', 'response': f'w{(n + 1) % 29} w{n % 7}'} for n in range(64)]
open('/mnt/pvc/data/rows.jsonl', 'w').writelines(json.dumps(row) + chr(10) for row in rows)
"""


def job(name: str, steps: int, *, namespace: str = NAMESPACE, **more: object) -> Object:
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"uri": "pvc://data/model"},
            "datasets": [{"uri": "pvc://data/rows.jsonl"}],
            "tuner": {"type": "LoRA", "dropout": 0},
            "hyperparameters": {
                "epochs": 1000,
                "maxSteps": steps,
                "microBatchSize": 4,
                "learningRate": 5.0e-3,
                "maxLength": 32,
            },
            "output": {"uri": "pvc://data/out"},
            **more,
        },
    }


@pytest.fixture(scope="module")
def ground(kube: Kube) -> Iterator[Kube]:
    """A restricted namespace with a small model and rows on a volume."""
    kube("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}
    named = {"namespace": NAMESPACE, "name": "data"}
    kube.apply(
        yaml.safe_dump_all(
            [
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": {"name": NAMESPACE, "labels": enforce},
                },
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": named,
                    "spec": claim,
                },
                pod_beside("files", FILES, NAMESPACE),
            ]
        )
    )
    kube(
        *("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/files", "-n", NAMESPACE),
        "--timeout=180s",
    )
    yield kube
    kube("delete", "namespace", NAMESPACE, "--wait")


def until(
    kube: Kube, name: str, holds: Callable[[Object], bool], namespace: str = NAMESPACE
) -> Object:
    """The status of a job once something holds of it."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        item = kube.get("finetunejob", name, namespace)
        assert item is not None
        status: Object = item.get("status") or {}
        if status and holds(status):
            return status
        failed = story.ready_of(item).get("status") == "False"
        assert not (failed and status.get("run", {}).get("finishedAt")), story.describe(item)
        assert time.monotonic() < end, story.describe(item)
        time.sleep(0.5)


def reason(status: Object) -> str:
    return next((c["reason"] for c in status.get("conditions", []) if c["type"] == "Ready"), "")


def pods_of(kube: Kube, name: str, namespace: str = NAMESPACE) -> list[Object]:
    return kube.list("pods", namespace, f"martlet.dev/name={name},martlet.dev/stage=train")


def test_two_pods_learn_what_one_does(ground: Kube) -> None:
    whole = {"tuner": {"type": "Full"}}
    alone = job("alone", 12, **whole)
    shared = [
        job(strategy.lower(), 12, **whole, parallelism={"nodes": 2, "strategy": strategy})
        for strategy in STRATEGIES
    ]
    ground.apply(yaml.safe_dump_all([alone, *shared]))
    losses = {}
    for name in ("alone", *map(str.lower, STRATEGIES)):
        status = until(ground, name, lambda status: reason(status) == "Succeeded")
        losses[name] = status["progress"]["loss"]
    assert losses["alone"] < UNTRAINED - 1
    for strategy in STRATEGIES:
        first, _ = pods_of(ground, strategy.lower())
        log = ground("logs", first["metadata"]["name"], "-n", NAMESPACE, "-c", "train")
        assert f"{strategy} over 2 processes" in log
        assert losses[strategy.lower()] == pytest.approx(losses["alone"], abs=1e-3)
    print(f"losses after 12 steps: {losses}")


def begun(kube: Kube, name: str) -> int:
    """A long run with a checkpoint; its step."""
    kube.apply(yaml.safe_dump(job(name, LONG, checkpoint={"everySteps": 20, "keep": 1})))
    status = until(kube, name, lambda status: bool(status.get("checkpoint")))
    return int(status["checkpoint"]["step"])


def test_a_suspended_run_goes_on_from_its_checkpoint(ground: Kube) -> None:
    kept = begun(ground, "paused")
    _suspend(ground, "paused", "true")
    until(ground, "paused", lambda status: reason(status) == "Suspended")
    _gone(ground, "paused")
    _suspend(ground, "paused", "false")
    _went_on(ground, "paused", kept)


def test_a_drained_pod_goes_on_elsewhere(ground: Kube) -> None:
    kept = begun(ground, "drained")
    (node,) = ground.list("nodes", NAMESPACE)
    name = node["metadata"]["name"]
    try:
        ground(
            *("drain", name, "--pod-selector=martlet.dev/name=drained", "--delete-emptydir-data"),
            "--timeout=150s",
        )
    finally:
        ground("uncordon", name)
    _went_on(ground, "drained", kept)


def _went_on(kube: Kube, name: str, kept: int) -> None:
    """To its end, and not from its beginning: the pod that ended it did fewer steps."""
    status = until(kube, name, lambda status: reason(status) == "Succeeded")
    assert status["progress"]["step"] == LONG
    last = max(pods_of(kube, name), key=lambda pod: pod["metadata"]["creationTimestamp"])
    log = kube("logs", last["metadata"]["name"], "-n", NAMESPACE, "-c", "train")
    first = next(line for line in log.splitlines() if "Goes on from step" in line)
    assert int(first.split()[4].rstrip(".")) >= kept
    print(f"{name}: {first}")


def _suspend(kube: Kube, name: str, value: str) -> None:
    patch = f'{{"spec":{{"suspend":{value}}}}}'
    kube("patch", "finetunejob", name, "-n", NAMESPACE, "--type=merge", "-p", patch)


def _gone(kube: Kube, name: str) -> None:
    end = time.monotonic() + DEADLINE_SECONDS
    while any(pod["status"]["phase"] == "Running" for pod in pods_of(kube, name)):
        assert time.monotonic() < end
        time.sleep(0.5)
