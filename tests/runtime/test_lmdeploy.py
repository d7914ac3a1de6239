"""What of its formats LMDeploy reads."""

import re
from pathlib import Path
from typing import Any

import pytest

from martlet_runtime.engines.lmdeploy import VERSION, problem

LOCKS = Path(__file__).resolve().parents[2] / "images/locks"


def packed(**changes: Any) -> dict[str, Any]:
    weights = {"num_bits": 4, "type": "int", "group_size": 128, **changes}
    group = {"format": changes.pop("format", "pack-quantized"), "weights": weights}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": group}}


@pytest.mark.parametrize(
    ("quantization", "says"),
    [
        (None, None),
        ({"quant_method": "fp8"}, None),
        ({"quant_method": "smooth_quant"}, None),
        ({"quant_method": "awq", "version": "gemm", "group_size": 128}, None),
        ({"quant_method": "awq", "version": "gemv", "group_size": 128}, "another version"),
        ({"quant_method": "awq", "version": "gemm", "group_size": 64}, "other than 128"),
        ({"quant_method": "gptq", "group_size": 128}, None),
        ({"quant_method": "gptq", "desc_act": True}, "desc_act"),
        ({"quant_method": "gptq", "sym": False}, "without sym"),
        (packed(), None),
        (packed(group_size=32), None),
        (packed(group_size=64), "32 or 128"),
        (packed(num_bits=8), "4-bit"),
        (packed(type="float"), "4-bit"),
        (packed(format="int-quantized"), "4-bit"),
        ({"quant_method": "compressed-tensors"}, "4-bit"),
    ],
)
def test_what_is_read(quantization: dict[str, Any] | None, says: str | None) -> None:
    found = problem({"quantization_config": quantization})
    assert found is None if says is None else says in str(found)


def test_it_is_the_version_of_the_image() -> None:
    found = re.search(r"^lmdeploy==(\S+)", (LOCKS / "lmdeploy.txt").read_text(), re.MULTILINE)
    assert found
    assert found[1] == VERSION
