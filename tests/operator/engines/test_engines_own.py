"""What is said here of engines, beside the engines themselves: their own parsers and their own
metrics, at the versions of the images."""

import ast
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from recorded import RECORDERS, cut, page

import parsers
from martlet_api.engine import RESERVED_ARGS, Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines.dialect import Launch
from martlet_operator.engines.known import DIALECTS
from martlet_operator.engines.measures import Series, read
from martlet_operator.inputs.models import KnownModel

pytestmark = pytest.mark.engines

ENGINES: dict[str, Any] = {
    "vllm-cpu": ("vLLM", "CPU"),
    "vllm-cuda": ("vLLM", "NVIDIA"),
    "lmdeploy": ("LMDeploy", "NVIDIA"),
    "sglang": ("SGLang", "NVIDIA"),
}
every_image = pytest.mark.parametrize("image", ENGINES)
PLAIN = KnownModel("pvc://m/base", "sha256:1")
ADAPTER = KnownModel("pvc://m/a", "sha256:2", base=PLAIN, lora_rank=300)
GOOD = {"vLLM": "--max-num-seqs=4", "LMDeploy": "--max-batch-size=4", "SGLang": "--random-seed=1"}
BAD = {
    "vLLM": ["--max-num-seqs=few"],
    "LMDeploy": ["model", "--tp", "two"],
    "SGLang": ["--model-path", "m", "--load-format", "pickled"],
}


def rendered(image: str) -> list[list[str]]:
    """All that Martlet starts the image's engine with, with a user's argument behind it."""
    engine, on = ENGINES[image]
    dialect = DIALECTS[engine]
    pods = [PodSettings()]
    if on != "CPU":
        gpus = {"accelerator": "nvidia.com/gpu"}
        pods = [PodSettings(**gpus), PodSettings(**gpus, accelerators_per_pod=2)]
    settings = Engine(type=engine, max_model_len=4096)
    launches = [
        Launch(settings, model, "thing", pod, drain_seconds=100)
        for model in ([PLAIN] if dialect.adapter_problem else [PLAIN, ADAPTER])
        for pod in pods
    ]
    return [[*dialect.arguments(launch), GOOD[engine]] for launch in launches]


@cache
def answer(image: str) -> parsers.Answer:
    """Asked once: to import an engine takes many seconds."""
    engine, _ = ENGINES[image]
    unknown = [*rendered(image)[0], "--xyzzy"]
    return parsers.ask(image, [*rendered(image), unknown, BAD[engine]])


@every_image
def test_the_parser_takes_what_is_rendered_and_nothing_that_it_does_not_know(image: str) -> None:
    *taken, unknown, bad = answer(image).refusals
    assert taken == [None] * len(rendered(image))
    assert "--xyzzy" in str(unknown)
    assert bad


def test_the_table_of_arguments_is_the_parsers() -> None:
    assert parsers.table(map(answer, ENGINES)) == parsers.TABLE.read_text()


@every_image
def test_reserved_arguments_are_the_engine_s(image: str) -> None:
    """A name that the engine has given up would guard nothing."""
    engine, _ = ENGINES[image]
    assert set(RESERVED_ARGS[engine]) <= set(answer(image).known)


@cache
def own_page(image: str) -> str:
    """A metrics page that the engine's own classes write."""
    engine, _ = ENGINES[image]
    return parsers.run(image, RECORDERS / f"record_{engine.lower()}.py").stdout


@every_image
def test_every_measure_is_on_the_engine_s_own_page(image: str) -> None:
    engine, _ = ENGINES[image]
    measures = DIALECTS[engine].measures
    text = own_page(image)
    found = read(text, measures)
    counted = (measures.requests, measures.errors, measures.generated_tokens)
    gauges = (measures.running, measures.waiting, measures.cache_use)
    for series in chain(*counted, *gauges):
        assert f"\n{series.name}{{" in text, series.name
        assert labels_of(series, text) >= set(series.labels)
    counts = {"vLLM": (3, 1), "LMDeploy": (8, 2), "SGLang": (7, 1)}
    assert (found.requests, found.errors) == counts[engine]
    assert all(found.histograms.values())


def labels_of(series: Series, text: str) -> set[str]:
    """The labels of a name's first sample."""
    line = next(line for line in text.splitlines() if line.startswith(f"{series.name}{{"))
    pairs = line[line.index("{") + 1 : line.index("}")].split(",")
    return {pair.partition("=")[0] for pair in pairs}


@pytest.mark.parametrize("image", ["lmdeploy", "sglang"])
def test_the_recorded_page_is_the_engine_s(image: str) -> None:
    """SGLang writes its metrics in the order in which a folder lists their files."""
    name = answer(image).title.lower().replace(" ", "-")
    assert sorted(cut(own_page(image)).splitlines()) == sorted(page(name).splitlines())


# What the engines' sources say


def source(image: str, path: str) -> ast.Module:
    overlay = parsers.OVERLAYS[image]
    folder = parsers.ENVIRONMENT / (overlay or "lib/python3.11/site-packages")
    return ast.parse(Path(folder, path).read_text())


def assigned(tree: ast.Module, name: str) -> Any:
    """The literal that is assigned to a name somewhere; keys of a dict, elements of a list."""
    for node in ast.walk(tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and getattr(target, "id", "") == name:
            literal = node.value
            items = literal.keys if isinstance(literal, ast.Dict) else literal.elts
            return {item.value for item in items if isinstance(item, ast.Constant)}
    raise LookupError(name)


SERVERS = {
    "vLLM": "vllm/entrypoints/launchers/api_server/entry.py",
    "LMDeploy": "lmdeploy/serve/openai/api_server.py",
    "SGLang": "sglang/srt/entrypoints/http_server.py",
}


@every_image
def test_how_long_a_connection_may_idle_is_read_from_its_variable(image: str) -> None:
    engine, _ = ENGINES[image]
    words = [
        node for node in ast.walk(source(image, SERVERS[engine])) if isinstance(node, ast.keyword)
    ]
    told = [ast.dump(word.value) for word in words if word.arg == "timeout_keep_alive"]
    assert told
    assert all(DIALECTS[engine].idle_variable in value for value in told)


@pytest.mark.parametrize("image", ["vllm-cpu", "vllm-cuda"])
def test_vllm_s_formats(image: str) -> None:
    tree = source(image, "vllm/model_executor/layers/quantization/__init__.py")
    known = assigned(tree, "method_to_config") | {"auto-round"}  # by inc/inc.py
    formats = DIALECTS["vLLM"].formats
    assert formats[ENGINES[image][1]] <= known
    assert not {"bitsandbytes", "gguf", "w8a8_int8", "w8a8_fp8", "smooth_quant"} & known
    rocm = assigned(source(image, "vllm/platforms/rocm.py"), "supported_quantization")
    assert formats["AMD"] <= rocm | {"auto-round"}
    assert "inc" in rocm


def test_sglang_s_formats() -> None:
    tree = source("sglang", "sglang/srt/layers/quantization/__init__.py")
    known = assigned(tree, "BASE_QUANTIZATION_METHODS") | {"mxfp4", "gptq"}
    assert {"gptq_marlin", "bitsandbytes"} <= known
    formats = DIALECTS["SGLang"].formats
    assert formats["NVIDIA"] <= known
    amd = source("sglang", "sglang/srt/configs/model_config.py")
    assert formats["AMD"] <= assigned(amd, "rocm_supported_quantization")


def test_lmdeploy_s_formats() -> None:
    tree = source("lmdeploy", "lmdeploy/turbomind/converter.py")
    known = assigned(tree, "_SUPPORTED_GROUP_SIZES") | {"smooth_quant"}
    assert DIALECTS["LMDeploy"].formats["NVIDIA"] == known
