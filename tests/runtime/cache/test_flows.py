"""Preflight and stage by way of the cache, and the sidecar that holds what they took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cache_builders import fill

from martlet_api import contract
from martlet_api.contract import Input, Plan
from martlet_runtime import preflight, sources, stage
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.sources.hub import HubSource, Place, RemoteFile

MODEL = Input(name="model", kind="Model", uri="hf://org/model")
ROWS = Input(name="rows", kind="Dataset", uri="hf://datasets/org/d/rows.jsonl", rows="Conversation")
LINE = json.dumps({"query": "q", "response": "a"}) + "\n"


class Hub:
    """A hub with one model and one data file, whose downloads are counted."""

    def __init__(self, root: Path) -> None:
        self.root, self.fetched = root, 0
        fill(root / "model", "weights")
        (root / "rows.jsonl").write_text(LINE)

    def place(self, wanted: Input) -> Place:
        is_data = wanted.kind == "Dataset"
        return Place("org/x", "rows.jsonl" if is_data else "", is_data)

    def commit(self, place: Place, wanted: Input) -> str | None:
        return "c0ffee"

    def _folder(self, place: Place) -> Path:
        return self.root if place.is_dataset else self.root / "model"

    def files(self, place: Place, wanted: Input) -> list[RemoteFile]:
        from martlet_runtime.artifacts import list_files

        found = [path for path in sorted(self._folder(place).iterdir()) if path.is_file()]
        return [RemoteFile(p.name, p.stat().st_size, list_files(p).files[0].sha256) for p in found]

    def fetch(self, place: Place, wanted: Input, path: str, folder: Path) -> Path:
        self.fetched += 1
        (folder / path).write_bytes((self._folder(place) / path).read_bytes())
        return folder / path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    (tmp_path / "hub").mkdir()
    hub = Hub(tmp_path / "hub")
    source = HubSource(hub)
    monkeypatch.setattr(sources, "source_of", lambda _: source)
    monkeypatch.setattr(preflight, "source_of", lambda _: source)
    monkeypatch.setenv(contract.CACHE_LIMIT_ENV, "1000000")
    return hub


def pod(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv(contract.POD_ENV, name)
    own = root / name
    paths = Paths(own / "inputs", own / "work", own / "volumes", own / "end", root / "cache")
    paths.inputs.mkdir(parents=True)
    paths.work.mkdir()
    return paths


def plan(*inputs: Input) -> Plan:
    return Plan(kind="FineTuneJob", namespace="n", name="a", run="r", inputs=list(inputs))


def test_ten_jobs_bring_the_model_and_the_data_once(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = preflight.run(plan(MODEL, ROWS), pod(tmp_path, "p", monkeypatch), Report())
    assert told.cache is not None
    assert (told.cache.misses, hub.fetched) == (1, 1)  # the data, to look at its rows
    digests = {item.name: item.digest for item in told.resolved or []}
    inputs = [item.model_copy(update={"digest": digests[item.name]}) for item in (MODEL, ROWS)]
    for number in range(10):
        paths = pod(tmp_path, f"pod{number}", monkeypatch)
        used = stage.run(plan(*inputs), paths, Report()).cache
        assert used is not None
        assert (paths.inputs / "model" / "model.safetensors").read_text() == "weights"
        assert (paths.inputs / "rows").read_text() == LINE
    assert hub.fetched == 3
    assert (used.hits, used.misses, used.entries) == (2, 0, 2)


def test_preflight_holds_nothing_once_it_ended(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preflight.run(plan(ROWS), pod(tmp_path, "p", monkeypatch), Report())
    leases = (tmp_path / "cache" / "martlet-cache" / "leases").iterdir()
    assert [path.name for path in leases if path.name.endswith(".p")] == []


def test_the_sidecar_holds_what_stage_took_until_the_pod_ends(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pod(tmp_path, "p", monkeypatch)
    (found,) = preflight.run(plan(MODEL), paths, Report()).resolved or []
    locked = MODEL.model_copy(update={"digest": found.digest})
    stage.run(plan(locked), paths, Report())
    leases = tmp_path / "cache" / "martlet-cache" / "leases"
    assert [path.name for path in leases.glob("*.p")]
    program = (
        "import sys; from pathlib import Path; from martlet_runtime import cli, paths\n"
        "print('holds', flush=True)\n"
        "where = paths.Paths(termination=Path(sys.argv[1]), cache=Path(sys.argv[2]))\n"
        "sys.exit(cli.run('lease', Path(sys.argv[3]), where))"
    )
    (tmp_path / "plan.json").write_text(plan(locked).model_dump_json(by_alias=True))
    arguments = [str(paths.termination), str(paths.cache), str(tmp_path / "plan.json")]
    sidecar = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=os.environ, stdout=subprocess.PIPE
    )
    assert sidecar.stdout is not None
    sidecar.stdout.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        sidecar.wait(2)
    assert [path.name for path in leases.glob("*.p")]
    sidecar.send_signal(signal.SIGTERM)
    assert sidecar.wait(30) == 0
    assert [path.name for path in leases.glob("*.p")] == []


def test_without_a_cache_all_is_as_before(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(contract.CACHE_LIMIT_ENV)
    paths = replace(pod(tmp_path, "p", monkeypatch), cache=tmp_path / "none")
    told = preflight.run(plan(MODEL), paths, Report())
    assert told.cache is None
    (found,) = told.resolved or []
    locked = MODEL.model_copy(update={"digest": found.digest})
    assert stage.run(plan(locked), paths, Report()).cache is None
    assert not (paths.inputs / "model").is_symlink()
    assert not (tmp_path / "none").exists()
