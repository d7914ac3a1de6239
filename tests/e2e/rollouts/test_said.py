"""Which lines of the logs are told of a lost request."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cluster.shell import CommandError
from rollouts import said
from rollouts.load import Record

AT = datetime(2026, 11, 27, 8, 0, 10, tzinfo=UTC).timestamp()
LOST = Record(1, "chat", "Where?", started=AT, took=0.5)
LOG = """2026-11-27T08:00:08.900000000Z before
2026-11-27T08:00:09.100000000Z just before
2026-11-27T08:00:11.400000000Z just after
2026-11-27T08:00:11.600000000Z after
no time at all
"""


class Pods:
    """Two pods, one of which is gone when its log is asked for."""

    def list(self, *_: str) -> list[dict[str, dict[str, str]]]:
        return [{"metadata": {"name": name}} for name in ("here", "gone")]

    def __call__(self, *words: str) -> str:
        if words[-1] == "gone":
            raise CommandError('pods "gone" not found')
        return LOG


def test_what_was_written_within_a_second_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLUSTER", raising=False)
    with TemporaryDirectory() as folder:  # a cluster's folder must have a short path
        monkeypatch.setenv("MARTLET_CLUSTER_DIR", folder)
        log = Path(folder, "logs", "traefik.log")
        log.parent.mkdir()
        log.write_text("2026-11-27T08:00:10Z DBG 502\n")
        found = said.about(Pods(), "team", [LOST])  # type: ignore[arg-type]
    assert [line.split(" ", 2)[::2] for line in found] == [
        ["gateway:", "DBG 502"],
        ["here:", "just before"],
        ["here:", "just after"],
    ]
    assert "not found" in capsys.readouterr().out
