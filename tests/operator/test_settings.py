"""What the environment tells the operator."""

import pytest

from martlet_operator.settings import from_environment

IMAGES = {
    "MARTLET_IMAGE_RUNTIME": "r:1",
    "MARTLET_IMAGE_VLLM_CPU": "c:1",
    "MARTLET_IMAGE_VLLM_CUDA": "g:1",
    "MARTLET_IMAGE_LMDEPLOY": "l:1",
    "MARTLET_IMAGE_SGLANG": "s:1",
}


def test_defaults() -> None:
    found = from_environment(IMAGES)
    assert (found.images.runtime, found.images.pull_policy) == ("r:1", "IfNotPresent")
    assert found.namespaces == ()
    assert found.resync_period == 300


def test_all_that_can_be_set() -> None:
    found = from_environment(
        {
            **IMAGES,
            "MARTLET_NAMESPACES": "a, b,",
            "MARTLET_IMAGE_PULL_POLICY": "Never",
            "POD_NAME": "martlet-0",
            "POD_NAMESPACE": "sys",
            "MARTLET_LOG_LEVEL": "DEBUG",
            "MARTLET_RESYNC_SECONDS": "7",
        }
    )
    assert found.namespaces == ("a", "b")
    assert found.images.pull_policy == "Never"
    assert (found.identity, found.own_namespace) == ("martlet-0", "sys")
    assert (found.log_level, found.resync_period) == ("DEBUG", 7)


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_that_is_not_set_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        from_environment({k: v for k, v in IMAGES.items() if k != name})
