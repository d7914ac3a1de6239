"""Scoring beside a baseline, by rows and by perplexity, on the quickstart's models."""

from __future__ import annotations

import json
import time

import pytest

from demo import road
from demo.kube import Kube, Object

pytestmark = pytest.mark.cluster

NAME = "village-beside-base"
SECONDS = 900.0
GENERATION = {"temperature": 0, "maxTokens": 32, "seed": 42}


@pytest.fixture(scope="module")
def village(kube: Kube) -> Object:
    """The quickstart's FineTuneJob, whose road is walked unless it was before."""
    if kube.get("finetunejob", "village", road.NAMESPACE) is None:
        road.base_model(kube)
    road.apply(kube)
    road.watch(kube, print)
    found = kube.get("finetunejob", "village", road.NAMESPACE)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def scored(kube: Kube, village: Object) -> Object:
    """The tuned model beside its base: an answer must not be worse, a text not much stranger."""
    spec = {
        "model": {"from": {"kind": "FineTuneJob", "name": "village"}},
        "baseline": {"uri": "pvc://models/base"},
        "suites": [
            {
                "name": "village",
                "benchmark": "general_qa",
                "dataset": {"uri": "pvc://data/test.jsonl"},
                "thresholds": [
                    {
                        "metric": "Rouge-L-R",
                        "maxDrop": 0.01,
                        "against": "Baseline",
                        "confidence": 0.95,
                    }
                ],
            },
            {
                "name": "stories",
                "benchmark": "perplexity",
                "dataset": {"uri": "pvc://data/stories.txt"},
                "thresholds": [
                    {"metric": "perplexity", "maxIncreasePercent": 400, "against": "Baseline"}
                ],
            },
        ],
        "generation": GENERATION,
        "output": {"uri": "pvc://models"},
    }
    return ended(kube, NAME, spec)


def ended(kube: Kube, name: str, spec: Object) -> Object:
    """The EvalRun once it has a verdict."""
    kube.apply(json.dumps(eval_run(name, spec)))
    until = time.monotonic() + SECONDS
    said = ""
    while time.monotonic() < until:
        found = kube.get("evalrun", name, road.NAMESPACE) or {}
        status = found.get("status") or {}
        ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
        if said != ready.get("message"):
            said = ready.get("message", "")
            print(f"{name}: {ready.get('reason')}: {said}")
        if status.get("verdict") or ready.get("status") == "False":
            return found
        time.sleep(1)
    pytest.fail(f"{name} has no verdict after {SECONDS:.0f} s: {said}")


def eval_run(name: str, spec: Object) -> Object:
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": "EvalRun",
        "metadata": {"name": name, "namespace": road.NAMESPACE},
        "spec": spec,
    }


def test_the_baseline_stands_beside_each_score(scored: Object) -> None:
    told = scored["status"]
    by_suite = {score["suite"]: score for score in told["scores"]}
    print(json.dumps(by_suite, indent=1))
    assert told["verdict"]["passed"], told["verdict"]
    assert by_suite["village"]["value"] > 0.8 > 0.3 > by_suite["village"]["baseline"]
    assert min(by_suite["stories"]["value"], by_suite["stories"]["baseline"]) > 1
    assert by_suite["stories"]["detail"].endswith("stride 511")


def test_rows_are_compared_one_by_one(scored: Object) -> None:
    told = scored["status"]
    village = next(score for score in told["scores"] if score["suite"] == "village")
    assert (village["worse"], village["better"]) == (0, village["samples"])
    assert told["comparison"]["artifact"]["digest"].startswith("sha256:")
    assert told["measured"]["samples"]["digest"] != told["baseline"]["samples"]["digest"]


def test_the_verdict_holds_for_both_digests(scored: Object, village: Object) -> None:
    verdict, artifact = scored["status"]["verdict"], village["status"]["artifact"]
    assert verdict["modelDigest"] == artifact["digest"]
    assert verdict["baselineDigest"] == artifact["base"]["digest"]


def test_each_model_was_asked_by_one_pod(kube: Kube, scored: Object) -> None:
    pods = kube.list("pods", road.NAMESPACE, f"martlet.dev/name={NAME}")
    stages = sorted(pod["metadata"]["labels"]["martlet.dev/stage"] for pod in pods)
    assert stages == ["baseline", "compare", "evaluate", "preflight"]


def refusing(file: str, **suite: object) -> Object:
    data = {"uri": f"pvc://data/{file}"}
    return {
        "model": {"from": {"kind": "FineTuneJob", "name": "village"}},
        "suites": [{"name": "village", "benchmark": "general_qa", "dataset": data, **suite}],
        "generation": GENERATION,
        "contamination": "Refuse",
    }


def stages_of(kube: Kube, name: str) -> list[str]:
    pods = kube.list("pods", road.NAMESPACE, f"martlet.dev/name={name}")
    return sorted(pod["metadata"]["labels"]["martlet.dev/stage"] for pod in pods)


def test_rows_that_were_trained_on_are_refused_before_an_engine_starts(
    kube: Kube, village: Object
) -> None:
    """The training set itself, as a test set."""
    status = ended(kube, "village-from-memory", refusing("train.jsonl"))["status"]
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "Contaminated")
    assert "are in the training set of FineTuneJob/village" in ready["message"]
    (suite,) = status["contamination"]["suites"]
    (written,) = village["status"]["artifact"]["trainedOn"]
    assert suite["trained"] == suite["rows"] == written["rows"] > 0
    assert "verdict" not in status
    assert stages_of(kube, "village-from-memory") == ["preflight"]


def test_the_quickstart_s_test_set_is_clean(kube: Kube, village: Object) -> None:
    """And its scores are known, so that nothing is scored."""
    limits = [{"metric": "Rouge-L-R", "min": 0.8}]
    status = ended(kube, "village-clean", refusing("test.jsonl", thresholds=limits))["status"]
    assert status["verdict"]["passed"], status["verdict"]
    assert [suite["trained"] for suite in status["contamination"]["suites"]] == [0]
    assert stages_of(kube, "village-clean") == ["preflight"]


@pytest.fixture(scope="module")
def live(kube: Kube, village: Object) -> Object:
    """What the quickstart's service serves, asked as it runs; the text by its engine's tokens."""
    spec = {
        "service": {"name": "village"},
        "suites": [
            {
                "name": "village",
                "benchmark": "general_qa",
                "dataset": {"uri": "pvc://data/test.jsonl"},
                "thresholds": [{"metric": "Rouge-L-R", "min": 0.8}],
            },
            {
                "name": "stories",
                "benchmark": "perplexity",
                "dataset": {"uri": "pvc://data/stories.txt"},
            },
        ],
        "generation": GENERATION,
    }
    return ended(kube, "village-live", spec)


def test_a_service_is_scored_as_it_runs(kube: Kube, live: Object) -> None:
    service = kube.get("inferenceservice", "village", road.NAMESPACE)
    assert service is not None
    serving = service["status"]["stable"]
    verdict, measured = live["status"]["verdict"], live["status"]["measured"]
    print(json.dumps(live["status"]["scores"], indent=1))
    assert verdict["passed"], verdict
    assert verdict["modelDigest"] == serving["digest"]
    assert measured["revision"] == serving["revision"]


def test_scoring_a_service_starts_no_engine(kube: Kube, live: Object) -> None:
    pods = kube.list("pods", road.NAMESPACE, "martlet.dev/name=village-live")
    (scorer,) = [p for p in pods if p["metadata"]["labels"]["martlet.dev/stage"] == "evaluate"]
    names = [c["name"] for c in scorer["spec"].get("initContainers", [])]
    assert "engine" not in names
