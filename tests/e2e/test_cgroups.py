"""Where cgroups are looked for, by what is mounted."""

from pathlib import Path

import pytest

from cluster import cgroups

FIRST = "cgroup {root}/pids cgroup rw,pids 0 0\n"
SECOND = "cgroup2 {root}/unified cgroup2 rw 0 0\n"


@pytest.mark.parametrize(
    ("mounts", "made_in", "removed_from"),
    [
        (FIRST, ["pids"], ["pids"]),
        (SECOND, ["unified"], ["unified"]),
        (FIRST + SECOND, ["pids"], ["pids", "unified"]),
    ],
)
def test_groups_are_removed_wherever_runc_makes_them(
    mounts: str,
    made_in: list[str],
    removed_from: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = tmp_path / "mounts"
    table.write_text("proc /proc proc rw 0 0\n" + mounts.format(root=tmp_path))
    monkeypatch.setattr(cgroups, "MOUNTS", table)
    assert [path.name for path in cgroups.hierarchies()] == made_in
    for name in ("pids", "unified"):
        (tmp_path / name / "ours/kubepods").mkdir(parents=True)
    cgroups.remove("ours")
    left = {name for name in ("pids", "unified") if (tmp_path / name / "ours").exists()}
    assert left == {"pids", "unified"} - set(removed_from)
