"""A model that is larger than the accelerators is refused with numbers, and nothing else is."""

from typing import Any

import pytest
from operator_builders import digest

from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.inferenceservice.fits import too_large
from martlet_operator.inputs.models import KnownModel

GIB = 1 << 30
GPU = {"accelerator": "nvidia.com/gpu"}


def model(gib: int | None) -> KnownModel:
    size = None if gib is None else gib * GIB
    return KnownModel("pvc://models/base", digest("base"), bytes=size)


def said(gib: int | None, told: int | None = 80, args: list[str] | None = None, **pod: Any) -> Any:
    engine = Engine(type="vLLM", args=args or [])
    memory = None if told is None else told * GIB
    return too_large(model(gib), engine, PodSettings.model_validate(pod), memory)


def test_the_numbers_are_told_and_what_to_do() -> None:
    assert said(140, **GPU) == (
        "The model's files have 140.0 GiB, and a pod has 1 x nvidia.com/gpu of 80.0 GiB: the "
        "weights alone do not fit. Raise spec.pod.acceleratorsPerPod to 2 or more, choose larger "
        "accelerators, or serve a QuantizedModel of it."
    )


@pytest.mark.parametrize(
    ("gib", "told", "pod", "fits"),
    [
        (80, 80, GPU, True),
        (81, 80, GPU, False),
        (140, 80, {**GPU, "acceleratorsPerPod": 2}, True),
        (140, 80, {**GPU, "acceleratorMemory": "192Gi"}, True),
        (140, None, {**GPU, "acceleratorMemory": "24Gi"}, False),
        (140, None, GPU, True),
        (None, 80, GPU, True),
        (140, 80, {}, True),
    ],
)
def test_what_is_not_known_is_not_refused(
    gib: int | None, told: int | None, pod: dict[str, Any], fits: bool
) -> None:
    assert (said(gib, told, **pod) is None) is fits


@pytest.mark.parametrize("args", [["--cpu-offload-gb", "80"], ["--cpu-offload-gb=80"]])
def test_weights_may_be_elsewhere(args: list[str]) -> None:
    assert said(140, args=args, **GPU) is None
