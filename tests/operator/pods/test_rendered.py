"""What is rendered, against golden files, and that a restricted namespace takes every pod.

``MARTLET_UPDATE_GOLDEN=1 pytest tests/operator/pods`` writes the golden files anew.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_builders import (
    BATCH_KINDS,
    after,
    decide,
    desired,
    digest,
    finished_pod,
    from_,
    locked,
    resolved_input,
    resource,
    said,
    serving,
    stage_job,
    started,
    went_well,
    with_artifact,
)

from martlet_api.contract import POD_TERMINATION_LIMIT, termination_limit
from martlet_operator.engines.container import probe_program
from martlet_operator.inputs.cache import Cache

Object = dict[str, Any]

GOLDEN = Path(__file__).parent.parent / "golden"
PROBE = "(the text of completion_probe.py)"
EVERYTHING = {
    "accelerator": "nvidia.com/gpu",
    "acceleratorsPerPod": 2,
    "resources": {"requests": {"cpu": 2, "memory": "4Gi"}, "limits": {"memory": "8Gi"}},
    "nodeSelector": {"zone": "a"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "priorityClassName": "high",
    "runtimeClassName": "nvidia",
}


def service(pod: Object | None = None, base: str | None = "base", **engine: Any) -> list[Object]:
    """All objects of a service that serves an adapter, or what is none, the route included."""
    tuned = with_artifact("FineTuneJob", "tune", "tuned", base=base)
    live = resource(
        "InferenceService",
        model=from_("FineTuneJob", "tune"),
        endpoint={"gateway": {"name": "gw", "namespace": "gateways"}, "hostnames": ["a.b.c"]},
        engine=engine,
        **({"pod": pod} if pod else {}),
    )
    first = decide(live, [tuned])
    (deployment,) = desired(first, "Deployment")
    ready = {**deployment, "status": {"readyReplicas": 1}}
    return decide(after(live, first), [tuned], owned=[ready]).desired


def batch(kind: str, **spec: Any) -> list[Object]:
    return locked(resource(kind, **spec))[2].desired


def verifying(**spec: Any) -> list[Object]:
    """What a QuantizedModel wants of the cluster once its ladder is done."""
    live, run, _ = locked(resource("QuantizedModel", **spec))
    return decide(live, **went_well(live, run, ("quantize",))).desired


CACHE = Cache("shared", 1 << 40)


def cached(kind: str) -> list[Object]:
    """What a kind wants of the cluster while its model is brought by way of the cache."""
    live, run, _ = locked(resource(kind, model=SECRET))
    jobs = [stage_job(live, run, "preflight", "Complete")]
    found = live["status"]["resolved"]
    found[0] = resolved_input("model", SECRET["uri"])
    return decide(live, owned=jobs, cache=CACHE).desired


def of_service() -> list[Object]:
    """An EvalRun that asks a service."""
    suites = [
        {
            "name": "village",
            "benchmark": "general_qa",
            "dataset": {"uri": "pvc://data/test.jsonl", "digest": digest("test")},
        }
    ]
    live = resource("EvalRun", model=None, service={"name": "chat"}, suites=suites)
    return decide(live, [serving("chat", "chat-1", "one")]).desired


def judged() -> list[Object]:
    """An EvalRun whose answers a judge scores."""
    judge = {"endpoint": "https://api.example.com/v1", "model": "wise"}
    suite = {
        "name": "village",
        "benchmark": "general_qa",
        "dataset": {"uri": "pvc://data/test.jsonl"},
        "judge": {"scoreType": "Numeric"},
    }
    return batch("EvalRun", judge={**judge, "secretRef": {"name": "judge"}}, suites=[suite])


SECRET = {"uri": "hf://org/model", "revision": "main", "secretRef": {"name": "hub"}}
RENDERED = {
    "preflight": lambda: decide(resource("FineTuneJob", model=SECRET, pod=EVERYTHING)).desired,
    "train": lambda: batch("FineTuneJob"),
    "train-accelerated": lambda: batch("FineTuneJob", pod=EVERYTHING),
    "train-together": lambda: batch(
        "FineTuneJob",
        parallelism={"nodes": 2},
        hyperparameters={"microBatchSize": 4},
        retries={"limit": 2},
    ),
    "evaluate": lambda: batch("EvalRun"),
    "quantize": lambda: batch("QuantizedModel"),
    "verify": lambda: verifying(
        verification={"maxModelLen": 4096, "args": ["--dtype", "float16"]}, pod={"image": "mine:1"}
    ),
    "train-cached": lambda: cached("FineTuneJob"),
    "evaluate-cached": lambda: cached("EvalRun"),
    "evaluate-service": of_service,
    "evaluate-judged": judged,
    "service": service,
    "service-vllm": lambda: service(EVERYTHING, maxModelLen=4096, args=["--seed", "1"]),
    "service-lmdeploy": lambda: service(EVERYTHING, type="LMDeploy", maxModelLen=4096),
    "service-sglang": lambda: service(
        EVERYTHING, None, type="SGLang", maxModelLen=4096, args=["--random-seed=1"]
    ),
}


@pytest.mark.parametrize("name", RENDERED)
def test_golden(name: str) -> None:
    text = yaml.safe_dump_all(RENDERED[name](), sort_keys=False, width=100)
    text = yaml.safe_dump_all(_shown(list(yaml.safe_load_all(text))), sort_keys=False, width=100)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("MARTLET_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), "if this is meant: MARTLET_UPDATE_GOLDEN=1"


def _shown(value: Any) -> Any:
    """With a mark for the probe's text, which stands in a file of its own."""
    if isinstance(value, dict):
        return {k: _shown(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return PROBE if value == probe_program() else value


def assert_restricted(pod: Object) -> None:
    """The ``restricted`` Pod Security Standard, and Martlet's own rules over it."""
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod)
    for volume in pod["volumes"]:
        assert set(volume) - {"name"} <= {"configMap", "emptyDir", "persistentVolumeClaim"}
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "runAsUser", "seccompProfile", "procMount"} & set(own)
        assert all("hostPort" not in port for port in container.get("ports", []))
        assert container["command"][0] in ("python", "python3"), "no shell"
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}
        online = container["name"] in ("stage", "preflight")
        assert online or "envFrom" not in container, "secrets go to who brings inputs alone"
        scores = container["name"] in ("evaluate", "baseline")
        keys = [each for each in container["env"] if "secretKeyRef" in each.get("valueFrom", {})]
        assert scores or not keys, "the judge's key goes to who scores alone"


@pytest.mark.parametrize("name", RENDERED)
def test_a_pod_has_no_more_containers_than_its_results_are_reckoned_with(name: str) -> None:
    """The kubelet divides what it keeps of results among all containers of a pod."""
    for item in RENDERED[name]():
        template = item["spec"].get("template") if item["kind"] == "Job" else None
        if template:
            pod = template["spec"]
            count = len(pod["containers"]) + len(pod.get("initContainers", []))
            (worker,) = pod["containers"]
            flow = worker["command"][-1]
            assert termination_limit(flow) <= POD_TERMINATION_LIMIT // count
            assert termination_limit("stage") <= POD_TERMINATION_LIMIT // count


LABEL = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
QUANTITY = st.sampled_from([1, "500m", "2Gi", "1.5"])
POD = st.fixed_dictionaries(
    {},
    optional={
        "accelerator": st.sampled_from(["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"]),
        "resources": st.fixed_dictionaries(
            {},
            optional={
                "requests": st.dictionaries(LABEL, QUANTITY, max_size=2),
                "limits": st.dictionaries(LABEL, QUANTITY, max_size=2),
            },
        ),
        "nodeSelector": st.dictionaries(LABEL, LABEL, max_size=2),
        "tolerations": st.lists(st.fixed_dictionaries({"key": LABEL}), max_size=2),
        "priorityClassName": LABEL,
        "runtimeClassName": LABEL,
        "image": LABEL,
    },
)


@settings(deadline=None)
@given(POD, st.sampled_from(BATCH_KINDS))
def test_every_pod_of_a_job_is_restricted(pod: Object, kind: str) -> None:
    first = decide(resource(kind, pod=pod)).desired
    last = verifying(pod=pod) if kind == "QuantizedModel" else []
    for job in [*first, *batch(kind, pod=pod), *last]:
        if job["kind"] == "Job":
            assert_restricted(job["spec"]["template"]["spec"])
            assert "secretKeyRef" not in str(job), "nothing is judged"
            assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@given(POD, st.sampled_from(["Auto", "vLLM", "LMDeploy", "SGLang"]))
def test_every_pod_of_a_service_is_restricted(pod: Object, engine: str) -> None:
    at = {**pod, **({} if engine in ("Auto", "vLLM") else {"accelerator": "nvidia.com/gpu"})}
    (deployment,) = [o for o in service(at, None, type=engine) if o["kind"] == "Deployment"]
    template = deployment["spec"]["template"]["spec"]
    assert_restricted(template)
    assert_drained(template)


def assert_drained(pod: Object) -> None:
    """The kubelet waits for longer than a pod takes to be left alone and to end its requests."""
    (engine,) = pod["containers"]
    left_alone = engine["lifecycle"]["preStop"]["sleep"]["seconds"]
    args = engine["args"]
    if "--shutdown-timeout" in args:
        left_alone += int(args[args.index("--shutdown-timeout") + 1])
    assert left_alone < pod["terminationGracePeriodSeconds"]
    assert "vllm" not in engine["command"][2] or "--shutdown-timeout" in args


@pytest.mark.parametrize(
    ("rendered", "works"),
    [
        (lambda: batch("FineTuneJob", pod=EVERYTHING), "train"),
        (lambda: batch("EvalRun", pod=EVERYTHING), "engine"),
        (lambda: batch("QuantizedModel", pod=EVERYTHING), "quantize"),
        (lambda: verifying(pod=EVERYTHING), "engine"),
    ],
)
def test_accelerators_go_to_the_container_that_works_and_to_no_other(
    rendered: Callable[[], list[Object]], works: str
) -> None:
    job = rendered()[1]["spec"]["template"]["spec"]
    asks = [
        c["name"]
        for c in (*job.get("initContainers", []), *job["containers"])
        if "nvidia.com/gpu" in c.get("resources", {}).get("limits", {})
    ]
    assert asks == [works]


@pytest.mark.parametrize("kind", [*BATCH_KINDS, "InferenceService"])
def test_with_the_longest_name_all_names_fit(kind: str) -> None:
    name = "x" * 52
    first = decide(resource(kind, name))
    for item in first.desired:
        assert len(item["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in item["metadata"]["labels"].values())
    run = first.status.run.id
    assert finished_pod(resource(kind, name), run, "preflight", 0, "")["metadata"]["labels"]


def test_a_service_keeps_the_cache_that_its_pods_were_made_with() -> None:
    """Else all its pods would start anew when somebody labels a claim, or takes the label off."""
    live = resource("InferenceService", model=SECRET)
    begun, run = started(live)
    told = said("preflight", resolved=[resolved_input("model", SECRET["uri"])])
    done = finished_pod(live, run, "preflight", 0, json.dumps(told))
    for first, later in ((CACHE, None), (None, CACHE), (CACHE, Cache("other", 1))):
        (made,) = desired(decide(begun, pods=[done], cache=first), "Deployment")
        again = decide(begun, pods=[done], owned=[{**made, "status": {}}], cache=later)
        assert desired(again, "Deployment") == [made]
        mounted = [v for v in made["spec"]["template"]["spec"]["volumes"] if "persistent" in str(v)]
        assert len(mounted) == (1 if first else 0)
