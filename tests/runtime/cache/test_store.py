"""The cache: brought once, kept while used, never more than its limit, whatever is killed when."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from cache_builders import age, key, model, process, provide, store
from hypothesis import given
from hypothesis import strategies as st

from martlet_runtime.cache import Store
from martlet_runtime.cache.entries import Entry, victims
from martlet_runtime.cache.leases import STALE_SECONDS
from martlet_runtime.errors import UserError

SIZE = 102
"""Bytes of a model of a hundred characters."""
A, B, C = "a" * 100, "b" * 100, "c" * 100


def folder(volume: Path, name: str) -> Path:
    return volume / "martlet-cache" / name


def names(volume: Path, where: str) -> list[str]:
    root = folder(volume, where)
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def finish(cache: Store) -> None:
    """The pod has ended."""
    cache.leases.drop_all()


def test_the_second_pod_finds_it(tmp_path: Path) -> None:
    first, second = store(tmp_path, "one"), store(tmp_path, "two")
    path, bring = provide(first, tmp_path, A)
    assert path is not None
    assert (bring.calls, first.use.misses, first.use.brought_bytes) == (1, 1, SIZE)
    again, bring = provide(second, tmp_path, A)
    assert again == path
    assert (bring.calls, second.use.hits, second.use.saved_bytes) == (0, 1, SIZE)
    assert (second.told().entries, second.told().bytes) == (1, SIZE)


def test_ten_pods_at_once_bring_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pods = [process(tmp_path, f"pod{n}", A, log, 0.5) for n in range(10)]
    told = [pod.communicate(timeout=60)[0].splitlines() for pod in pods]
    assert [pod.returncode for pod in pods] == [0] * 10
    assert [lines[-1] for lines in told] == [A] * 10
    assert len(log.read_text().split()) == 1


def test_a_pod_killed_half_way_leaves_nothing_half(tmp_path: Path) -> None:
    log = tmp_path / "log"
    killed = process(tmp_path, "killed", A, log, 60)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "bringing\n"
    waiting = process(tmp_path, "waiting", A, log, 0)
    killed.kill()
    killed.wait()
    assert waiting.communicate(timeout=60)[0].splitlines()[-1] == A
    assert log.read_text().split() == ["killed", "waiting"]
    assert names(tmp_path, "partial") == []


def test_what_a_killed_pod_left_makes_room(tmp_path: Path) -> None:
    killed = process(tmp_path, "killed", A, tmp_path / "log", 60)
    assert killed.stdout is not None
    killed.stdout.readline()
    small = store(tmp_path, limit=150)
    assert provide(small, tmp_path, B)[0] is None  # what is being brought counts
    killed.kill()
    killed.wait()
    assert provide(small, tmp_path, B)[0] is not None
    assert names(tmp_path, "partial") == []


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    cache = store(tmp_path, limit=250)
    for text in (A, B):
        provide(cache, tmp_path, text)
    finish(cache)
    for text, seconds in ((A, 50), (B, 100)):
        age(folder(tmp_path, "entries") / key(model(tmp_path, text)) / "entry.json", seconds)
    provide(cache, tmp_path, C)
    assert names(tmp_path, "entries") == sorted(key(model(tmp_path, t)) for t in (A, C))
    assert (cache.use.evicted, cache.use.evicted_bytes) == (1, SIZE)
    assert names(tmp_path, "partial") == []


def test_what_a_pod_uses_stays_and_the_new_one_is_brought_past_it(tmp_path: Path) -> None:
    user, other = store(tmp_path, "user", 150), store(tmp_path, "other", 150)
    path, _ = provide(user, tmp_path, A)
    assert path is not None
    assert provide(other, tmp_path, B)[0] is None
    assert other.use.bypassed == 1
    assert (path / "model.safetensors").read_text() == A
    user.leases.drop_all()
    assert provide(other, tmp_path, B)[0] is not None


def test_the_lease_of_a_pod_that_died_with_its_node_ends(tmp_path: Path) -> None:
    dead, other = store(tmp_path, "dead", 150), store(tmp_path, "other", 150)
    provide(dead, tmp_path, A)
    (lease,) = [p for p in folder(tmp_path, "leases").iterdir() if p.name.endswith(".dead")]
    age(lease, STALE_SECONDS - 60)
    assert provide(other, tmp_path, B)[0] is None
    age(lease, STALE_SECONDS + 60)
    assert provide(other, tmp_path, B)[0] is not None


def test_refreshed_leases_hold_and_are_dropped_in_the_end(tmp_path: Path) -> None:
    user, other = store(tmp_path, "user", 150), store(tmp_path, "other", 150)
    provide(user, tmp_path, A)
    (lease,) = [p for p in folder(tmp_path, "leases").iterdir() if p.name.endswith(".user")]
    age(lease, STALE_SECONDS + 60)
    user.leases.refresh()
    assert provide(other, tmp_path, B)[0] is None
    with user.leases.kept(period=0.01):
        assert lease.exists()
    assert not lease.exists()
    user.leases.refresh()
    assert not lease.exists()


def test_damaged_content_is_brought_anew(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    cache = store(tmp_path)
    path, _ = provide(cache, tmp_path, A)
    assert path is not None
    (path / "model.safetensors").write_text("other")
    finish(cache)
    path, bring = provide(cache, tmp_path, A)
    assert bring.calls == 1
    assert path is not None
    assert (path / "model.safetensors").read_text() == A
    assert "brought anew" in capsys.readouterr().out


def test_damaged_content_that_a_pod_uses_is_left(tmp_path: Path) -> None:
    user, other = store(tmp_path, "user"), store(tmp_path, "other")
    path, _ = provide(user, tmp_path, A)
    assert path is not None
    (path / "model.safetensors").write_text("other")
    assert provide(other, tmp_path, A)[0] is None
    assert path.exists()


def test_what_is_not_what_was_locked_is_not_kept(tmp_path: Path) -> None:
    cache = store(tmp_path)

    def bring(path: Path) -> None:
        path.mkdir()
        (path / "config.json").write_text("something else")

    with pytest.raises(UserError, match="was locked"):
        cache.provide(model(tmp_path, A), lambda: SIZE, bring)
    assert names(tmp_path, "entries") == names(tmp_path, "partial") == []


def test_larger_than_the_cache_is_brought_past_it_and_evicts_nothing(tmp_path: Path) -> None:
    cache = store(tmp_path, limit=150)
    provide(cache, tmp_path, A)
    finish(cache)
    assert provide(cache, tmp_path, "d" * 200)[0] is None
    assert names(tmp_path, "entries") == [key(model(tmp_path, A))]


def test_a_full_volume_counts_before_the_limit_does(tmp_path: Path) -> None:
    cache = store(tmp_path, limit=10_000)
    provide(cache, tmp_path, A)
    finish(cache)
    free = os.statvfs(tmp_path)
    with patch("martlet_runtime.cache.store.shutil.disk_usage") as usage:
        usage.return_value.free = 50
        path, _ = provide(cache, tmp_path, B)
    assert free.f_bavail
    assert path is not None
    assert cache.use.evicted == 1


def test_other_users_may_read_and_a_data_file_is_a_file(tmp_path: Path) -> None:
    cache = store(tmp_path)
    path, _ = provide(cache, tmp_path, A)
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o755
    assert (path / "config.json").stat().st_mode & 0o777 == 0o644


ENTRIES = st.lists(
    st.builds(
        Entry,
        key=st.uuids().map(str),
        bytes=st.integers(1, 100),
        used=st.floats(0, 1000, allow_nan=False),
    ),
    max_size=8,
)


@given(ENTRIES, st.sets(st.integers(0, 7)), st.integers(0, 500))
def test_victims(entries: list[Entry], held: set[int], too_many: int) -> None:
    used = {entries[n].key for n in held if n < len(entries)}
    chosen = victims(entries, used, too_many)
    free = [entry for entry in entries if entry.key not in used]
    if chosen is None:
        assert sum(entry.bytes for entry in free) < too_many
        return
    assert sum(entry.bytes for entry in chosen) >= too_many
    assert not {entry.key for entry in chosen} & used
    assert sum(entry.bytes for entry in chosen[:-1]) < too_many or not chosen
    newest = max((entry.used for entry in chosen), default=0.0)
    assert all(entry.used >= newest for entry in free if entry not in chosen)
