from __future__ import annotations

from pathlib import Path

import pytest

from cluster.settings import SettingsError, from_environment


def test_one_block_holds_pods_services_and_the_cable_without_overlap() -> None:
    settings = from_environment({"MARTLET_CLUSTER_DIR": "/srv/c"})
    parts = [settings.pods, settings.services, settings.link]
    assert all(part.subnet_of(settings.block) for part in parts)
    assert not any(one.overlaps(two) for one in parts for two in parts if one != two)
    assert settings.dns_service_address in settings.services


def test_two_clusters_can_have_blocks_side_by_side() -> None:
    first = from_environment({"MARTLET_CLUSTER_DIR": "/srv/c"})
    second = from_environment(
        {"MARTLET_CLUSTER_DIR": "/srv/d", "MARTLET_CLUSTER_CIDR": "198.18.64.0/18"}
    )
    assert not first.block.overlaps(second.block)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"MARTLET_CLUSTER_CIDR": "10.0.0.0/18"}, "198.18.0.0/15"),
        ({"MARTLET_CLUSTER_CIDR": "198.18.0.0/24"}, "/18"),
        ({"MARTLET_CLUSTER_CIDR": "here"}, "here"),
        ({"MARTLET_CLUSTER_NAME": "../x"}, "MARTLET_CLUSTER_NAME"),
        ({"MARTLET_CLUSTER_NAME": "twelveletters"}, "MARTLET_CLUSTER_NAME"),
        ({"MARTLET_CLUSTER_DIR": "/var/lib/c"}, "MARTLET_CLUSTER_DIR"),
        ({"MARTLET_CLUSTER_DIR": "/" + "x" * 60}, "MARTLET_CLUSTER_DIR"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, str], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        from_environment({"MARTLET_CLUSTER_DIR": str(Path("/srv/c")), **given})
