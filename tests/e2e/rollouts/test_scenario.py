"""A whole try against a stand-in for the cluster, which lives through a rollout in a second."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from rollout_builders import Object, service

from rollouts import scenario
from rollouts.scenario import Ground, Try
from rollouts.service import Version
from rollouts.timeline import Route, Timeline

CANARY: Object = {"steps": [{"weight": 20}]}
GREEN = {"revision": "r-green", "state": "Stepping", "step": 1, "weight": 20}


@dataclass
class Cluster:
    """Takes a spec as kubectl does, and tells the states that follow it one after another."""

    states: list[Object]
    applied: list[Object] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: {"KUBECONFIG": "none"})
    now: Object = field(default_factory=lambda: service(1, 1))

    def __call__(self, *words: str, stdin: str) -> str:
        assert words[:3] == ("apply", "-f", "-")
        self.applied.append(json.loads(stdin))
        if len(self.applied) == 1:
            return "1"
        threading.Thread(target=self._live, daemon=True).start()
        return "2"

    def _live(self) -> None:
        for state in self.states:
            time.sleep(0.3)
            self.now = state

    def get(self, *_: str) -> Object:
        return self.now

    def list(self, *_: str) -> list[Object]:
        return []


class Watching:
    """In place of the watches: what the stand-in tells."""

    cluster: Cluster

    def __init__(self, *_: str) -> None:
        first = Route(time.time(), {"r-blue": 100, "r-green": 0}, accepted=True)
        self.timeline = Timeline(routes=[first], names={"r-green": "green"})

    @property
    def latest(self) -> Object:
        self.timeline.see_service(self.cluster.now, time.time())
        return self.cluster.now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Engine(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        answer = {"choices": [{"text": "barn", "finish_reason": "stop"}]}
        content = json.dumps({**answer, "system_fingerprint": "first"}).encode()
        chat = self.path.endswith("chat/completions")
        self.send_response(500 if chat else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MARTLET_E2E_OUTPUT", str(tmp_path))
    return tmp_path


def ground(states: list[Object], monkeypatch: pytest.MonkeyPatch) -> tuple[Ground, Cluster]:
    cluster = Cluster(states)
    monkeypatch.setattr(Watching, "cluster", cluster, raising=False)
    monkeypatch.setattr(scenario, "Watcher", Watching)
    for name in ("_BEFORE_SECONDS", "_AFTER_SECONDS", "_HOLDS_SECONDS"):
        monkeypatch.setattr(scenario, name, 0.2)
    kube: Any = cluster
    return Ground(kube, "quickstart", [("Where?", "barn")], Version("first")), cluster


@pytest.mark.parametrize(
    ("last", "end", "stable"),
    [
        (service(stable={"revision": "r-green"}), "Promoted", "green"),
        (service(ready="False", rejected=[{"revision": "r-green"}]), "RolledBack", "first"),
    ],
)
def test_a_try_ends_as_the_service_does(
    last: Object, end: str, stable: str, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [service(observed=1), service(ready="Unknown", canary=GREEN), last]
    found, cluster = ground(states, monkeypatch)
    seen = []
    course = scenario.run(
        found,
        Try("it", Version("green"), CANARY, rate=0, each=lambda item, _: seen.append(item)),
    )
    assert course.end == end
    assert found.stable.name == stable
    assert [item["spec"].get("canary") for item in cluster.applied] == [None, CANARY]
    assert states[1] in seen
    assert [status.state for status in course.timeline.statuses if status.state] == ["Stepping"]
    assert [mark.text for mark in course.timeline.marks] == ["asks for green", end]


def test_a_moment_between_two_canaries_is_no_end(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = service(ready="Unknown", canary={**GREEN, "revision": "r-newer"})
    last = service(stable={"revision": "r-newer"})
    older = service(ready="Unknown", canary=GREEN)
    found, _ = ground([older, service(), newer, last], monkeypatch)
    monkeypatch.setattr(scenario, "_HOLDS_SECONDS", 0.6)
    assert scenario.run(found, Try("it", Version("green"), CANARY, rate=0)).end == "Promoted"


def test_all_that_was_seen_is_written_though_time_is_up(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("GATEWAY_URL", f"http://127.0.0.1:{server.server_port}")
    found, _ = ground([service(ready="Unknown", canary=GREEN)], monkeypatch)
    course = scenario.run(found, Try("late", Version("green"), CANARY, rate=40, seconds=0.5))
    server.shutdown()
    assert course.end is None
    assert found.stable.name == "first"
    written = json.loads((output / "late.json").read_text())
    assert written["summary"]["requests"] == len(written["records"]) == len(course.records.all) > 5
    assert written["summary"]["lost"] == len(course.records.lost) > 0
    assert course.lost_without("green") == course.records.lost
    assert (output / "late.png").read_bytes()[:4] == b"\x89PNG"
