from __future__ import annotations

from typing import Any

import pytest
from rollout_builders import Object, service

import test_rollouts
from martlet_api.inferenceservice import InferenceServiceSpec
from rollouts import bystander, faults
from rollouts.service import Version, end_of, manifest

GREEN = {"revision": "r-green", "state": "Stepping"}
RED, OLD = {"revision": "r-red", "at": "2"}, {"revision": "r-old", "at": "1"}
CASES: list[tuple[str, Object, str | None]] = [
    ("not looked at yet", service(observed=1), None),
    ("on its way", service(canary=GREEN, ready="Unknown"), None),
    ("on its way, and held", service(canary=GREEN, ready="False"), None),
    ("over, and the gateway still to follow", service(ready="Unknown"), None),
    ("promoted", service(stable={"revision": "r-green"}, rejected=[OLD]), "Promoted"),
    ("rolled back", service(ready="False", rejected=[RED, OLD]), "RolledBack"),
    ("put back", service(rejected=[OLD]), "Withdrawn"),
    ("never begun", service(ready="False", rejected=[OLD]), "Refused"),
]


@pytest.mark.parametrize(("item", "end"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_an_end_is_told_by_what_changed(item: Object, end: str | None) -> None:
    assert end_of(service(1, 1, rejected=[OLD]), item) == end


def test_the_same_revision_rejected_once_more_is_rolled_back_again() -> None:
    again: dict[str, Any] = {**OLD, "at": "3"}
    item = service(ready="False", rejected=[again, OLD])
    assert end_of(service(rejected=[OLD]), item) == "RolledBack"


@pytest.mark.parametrize("canary", [{}, test_rollouts.CANARY], ids=["plain", "canary"])
def test_the_service_is_one_of_the_api(canary: Object) -> None:
    version = Version("green", args=tuple(faults.errors(50, after=10)), image=faults.image())
    item = manifest(version, canary, "quickstart", ("eval",))
    spec = InferenceServiceSpec.model_validate(item["spec"])
    args = spec.engine.args or []
    assert args[args.index("--fingerprint-value") + 1] == "green"
    assert spec.pod.image == faults.image()
    assert (spec.canary is not None) == bool(canary)


def test_a_bystander_shares_nothing_by_name_or_host() -> None:
    made, beside = manifest(Version("one"), {}, "team"), bystander.manifest("team")
    for path in (("metadata", "name"), ("spec", "endpoint", "hostnames")):
        own, other = made, beside
        for word in path:
            own, other = own[word], other[word]
        assert own != other, path
