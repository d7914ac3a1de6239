"""A plan of one ladder on the village's model, and a pod that climbs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from martlet_api.contract import Input, OutputPlan, Plan, QuantizePlan, Termination
from martlet_api.quantizedmodel import Rung
from martlet_runtime.engines import formats
from martlet_runtime.paths import Paths
from martlet_runtime.quantize import flow
from martlet_runtime.report import Report

Pod = Callable[..., Paths]
AVX2, AVX512 = frozenset({"avx2"}), frozenset({"avx2", "avx512f"})
W8A8, FP8, W8A16 = Rung(method="W8A8"), Rung(method="FP8"), Rung(method="W8A16")
GPTQ32, GPTQ128 = Rung(method="GPTQ", group_size=32), Rung(method="GPTQ")
SAMPLES = 32


def plan(*ladder: Rung, limit: float, **changes: Any) -> Plan:
    """``changes`` are of the QuantizePlan."""
    data = [
        ("calibration", "train.jsonl", "Conversation"),
        ("perplexity", "stories.txt", "Text"),
    ]
    fields = {
        "engine": "vLLM",
        "on_accelerator": False,
        "ladder": list(ladder),
        "calibration_max_length": 64,
        "max_increase_percent": limit,
        "output": OutputPlan(uri="pvc://models/q/r1", record={"owner": "us"}),
    }
    return Plan(
        kind="QuantizedModel",
        namespace="n",
        name="q",
        run="r1",
        inputs=[
            Input(
                name=name, kind="Dataset", uri=f"pvc://data/{file}", rows=rows, max_samples=SAMPLES
            )
            for name, file, rows in data
        ],
        quantize=QuantizePlan(**{**fields, **changes}),
    )


class Ladder:
    """A pod with the village's model, data and volumes."""

    def __init__(self, village: Path, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = village / "base"
        self.paths = pod(
            model=self.base, calibration=village / "train.jsonl", perplexity=village / "stories.txt"
        )
        self.artifact = self.paths.volumes / "models/q/r1"
        self.report = Report()
        self._patch = monkeypatch

    def climb(
        self, *ladder: Rung, limit: float, cpu: frozenset[str] = AVX512, **changes: Any
    ) -> Termination:
        self._patch.setattr(formats, "cpu_flags", lambda: cpu)
        return flow.run(plan(*ladder, limit=limit, **changes), self.paths, self.report)

    def gauge(self, name: str) -> float | None:
        return self.report.registry.get_sample_value(name)
