"""Arguments that an engine knows, and what is said of the others."""

from typing import Any

import pytest
from operator_builders import decide, from_, ready, resource, with_artifact

from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines.choice import problem
from martlet_operator.inputs.models import KnownModel

CPU, NVIDIA = PodSettings(), PodSettings(accelerator="nvidia.com/gpu")
PLAIN = KnownModel("pvc://m/base", "sha256:1")
ADAPTER = KnownModel("pvc://m/a", "sha256:2", base=PLAIN, lora_rank=8)


def wrong(type_: Any, pod: PodSettings, *args: str, model: KnownModel | None = None) -> str | None:
    return problem(Engine(type=type_, args=list(args)), model, pod)


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        ("vLLM", ["--max-num-seqs", "4", "--seed=-1", "-O3", "-tp", "2", "--max_num_seqs=4"]),
        ("vLLM", ["--compilation-config.level=1", "-cc.level", "1", "--seed", "-1.5"]),
        ("LMDeploy", ["--model-format=awq", "--cache_max_entry_count", "0.5"]),
        ("SGLang", ["--mem-fraction-static", "0.8", "--load-format=auto"]),
    ],
)
def test_known(type_: str, words: list[str]) -> None:
    assert wrong(type_, NVIDIA, *words) is None


@pytest.mark.parametrize(
    ("type_", "pod", "word", "says"),
    [
        ("vLLM", CPU, "--max-num-seq=4",
         "vLLM 0.32.0 knows no argument --max-num-seq; did you mean --max-num-seqs"),
        ("vLLM", NVIDIA, "--tensor-paralel-size",
         "vLLM 0.33.0 knows no argument --tensor-paralel-size; did you mean --tensor-parallel-"),
        ("vLLM", CPU, "--xyzzy", "knows no argument --xyzzy; remove it."),
        ("LMDeploy", NVIDIA, "--max-num-seqs", "LMDeploy 0.18.0 knows no argument"),
        ("LMDeploy", NVIDIA, "-O3", "LMDeploy 0.18.0 knows no argument -O3"),
        ("SGLang", NVIDIA, "--mem_fraction_static=1",
         "knows no argument --mem_fraction_static; did you mean --mem-fraction-static"),
        ("SGLang", NVIDIA, "--gpu-memory-utilization", "SGLang 0.5.23 knows no argument"),
    ],
)  # fmt: skip
def test_unknown(type_: str, pod: PodSettings, word: str, says: str) -> None:
    assert says in str(wrong(type_, pod, word))


def test_a_user_s_own_image_has_arguments_of_its_own() -> None:
    own = NVIDIA.model_copy(update={"image": "mine:1"})
    assert wrong("vLLM", own, "--xyzzy") is None


def test_with_an_adapter_lmdeploy_s_backend_is_not_the_user_s() -> None:
    assert wrong("LMDeploy", NVIDIA, "--backend", "turbomind", model=PLAIN) is None
    told = wrong("LMDeploy", NVIDIA, "--backend=turbomind", model=ADAPTER)
    assert told == "Martlet sets LMDeploy's --backend where an adapter is served; remove it."


ARGS = {"args": ["--max-num-seq=4"]}


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("InferenceService", {"engine": {"type": "vLLM", **ARGS}}),
        ("EvalRun", {"engine": {"type": "vLLM", **ARGS}}),
        ("QuantizedModel", {"verification": ARGS}),
    ],
)
def test_it_is_told_before_any_pod(kind: str, spec: dict[str, Any]) -> None:
    live = resource(kind, model=from_("FineTuneJob", "tune"), **spec)
    decision = decide(live, [with_artifact("FineTuneJob", "tune", "made")])
    assert decision.desired == []
    status, reason, message = ready(decision)
    assert (status, reason) == ("False", "InvalidSpec")
    assert "did you mean --max-num-seqs" in message
