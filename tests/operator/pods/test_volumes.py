"""Volumes of claims."""

import re

from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.pods.volumes import claims_of, mounts, volumes

CLAIM = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True)


def test_claims_of_uris() -> None:
    uris = ["pvc://b/x", "hf://a/b", "pvc://a", "pvc://b/y/z", "file:///a"]
    assert claims_of(uris) == ["a", "b"]


def test_claims_that_look_alike_have_volumes_of_their_own() -> None:
    names = [v["name"] for v in volumes("p", ["a.b", "a-b", "a" * 70, "a" * 71])]
    assert len(set(names)) == len(names)


@given(st.sets(CLAIM, max_size=5))
def test_every_mount_has_its_volume_and_a_valid_name(claims: set[str]) -> None:
    names = [v["name"] for v in volumes("p", sorted(claims))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)
    assert {m["name"] for m in mounts(sorted(claims))} == set(names)


def test_only_the_output_s_claim_is_written() -> None:
    by_path = {
        m["mountPath"]: m.get("readOnly", False) for m in mounts(["in", "out"], writable="out")
    }
    assert by_path["/mnt/pvc/in"] is True
    assert by_path["/mnt/pvc/out"] is False
    assert by_path["/martlet/inputs"] is True
