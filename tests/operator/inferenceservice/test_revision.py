"""A revision is made once: what makes its pods never changes under them."""

import copy
from typing import Any

from operator_builders import SETTINGS, digest, resource

from martlet_api.inferenceservice import InferenceServiceSpec
from martlet_operator.inferenceservice import revision
from martlet_operator.inputs.cache import Cache
from martlet_operator.inputs.models import KnownModel

Object = dict[str, Any]

SERVICE = resource("InferenceService", "chat")
SPEC = InferenceServiceSpec.model_validate(SERVICE["spec"])
MODEL = KnownModel("pvc://models/base", digest("base"), format="safetensors")


def deployment(
    live: Object | None = None, *, replicas: int = 1, cache: Cache | None = None
) -> Object:
    want = revision.wanted(SERVICE, SPEC, MODEL, SETTINGS, cache)
    made = revision.objects(SERVICE, SPEC, want, SETTINGS, replicas, live)
    return next(item for item in made if item["kind"] == "Deployment")


def by_a_former_version(made: Object) -> Object:
    """As a version rendered it that gave the engine another argument."""
    former = copy.deepcopy(made)
    former["metadata"]["annotations"][revision.RENDERED] = "another"
    former["spec"]["template"]["spec"]["containers"][0]["args"] = ["--former"]
    return former


def test_a_later_version_starts_no_pod_anew() -> None:
    former = by_a_former_version(deployment())
    now = deployment(former, replicas=3)
    assert now["spec"]["template"] == former["spec"]["template"]
    assert now["spec"]["replicas"] == 3
    assert now["metadata"]["annotations"] == former["metadata"]["annotations"]


def test_nor_does_another_cache_in_the_namespace() -> None:
    live = deployment()
    assert deployment(live, cache=Cache("models", 100))["spec"] == live["spec"]


def test_what_others_changed_is_put_right() -> None:
    made = deployment()
    changed = copy.deepcopy(made)
    changed["spec"]["template"]["spec"]["containers"][0]["args"] = ["--mine"]
    assert deployment(changed) == made
