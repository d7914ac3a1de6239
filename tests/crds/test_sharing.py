"""The API server and the estimator agree on which runs may share their weights."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from manifests import spoiled

from conftest import Kubectl
from martlet_api.training import Hyperparameters, Method, Tuner, can_share

pytestmark = pytest.mark.apiserver

REWARDS = {"rewards": [{"type": "ExactMatch"}]}
MORE: dict[str, dict[str, Any]] = {
    "GRPO": REWARDS,
    "RLOO": REWARDS,
    "OnlineDPO": REWARDS,
    "GKD": {"teacher": {"uri": "pvc://data/teacher"}},
}
METHODS = [method for method in get_args(Method) if method != "PPO"]
RUNS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    *((method, {}, {}) for method in METHODS),
    *(("SFT", {"type": kind}, {}) for kind in get_args(Tuner.model_fields["type"].annotation)),
    ("SFT", {"initLoraWeights": "PiSSA"}, {}),
    ("SFT", {"loraplusLrRatio": 16}, {}),
    ("SFT", {"type": "Full"}, {"optimizer": "GaLore"}),
]


@pytest.mark.parametrize(("method", "tuner", "params"), RUNS)
def test_a_named_strategy_is_taken_where_the_estimator_would_choose_one(
    kubectl: Kubectl, method: Any, tuner: dict[str, Any], params: dict[str, Any]
) -> None:
    manifest = spoiled(
        "FineTuneJob",
        {
            "spec.method": method,
            "spec.tuner": tuner,
            "spec.hyperparameters": params,
            "spec.parallelism": {"nodes": 2, "strategy": "FSDP"},
            **{f"spec.{field}": value for field, value in MORE.get(method, {}).items()},
        },
    )
    told = kubectl("create", "--dry-run=server", "-f", "-", manifest=manifest)
    may = can_share(method, Tuner.model_validate(tuner), Hyperparameters.model_validate(params))
    assert (told.returncode == 0) == may, told.stderr
