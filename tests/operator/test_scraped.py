"""A real Prometheus scrapes what the operator tells of a rollout and each engine's recorded page:
the dashboard shows all of it, and every alert can be judged."""

import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from operator_builders import digest
from prometheus_client import generate_latest

from cluster.settings import from_environment
from martlet_api.inferenceservice import InferenceServiceStatus
from martlet_operator import metrics
from martlet_operator.rollout_metrics import RolloutMetrics
from rollouts.prometheus import Prometheus, panels, running

# Debian's package of Prometheus is installed as those of the API server are.
pytestmark = pytest.mark.apiserver

Object = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.name.partition("-")[0]: path.read_text()
    for path in (Path(__file__).parent / "engines" / "pages").glob("*.txt")
}
GROWS = re.compile(
    r"^(\S+?(?:_total|_bucket|_sum|_count|num_requests_succeeded|num_requests_failed)(?:\{.*\})?) "
    r"(\S+)$",
    re.MULTILINE,
)
SCRAPES = 4


class Pages:
    """Pages by their paths on a port of loopback. An engine's grows from one scrape to the next by
    what was recorded; ``scrapes`` counts them."""

    def __init__(self) -> None:
        self.scrapes: Counter[str] = Counter()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def page(self, name: str) -> str:
        self.scrapes[name] += 1
        if name == "operator":
            metrics.WATCHED_PAGES.labels(result="read").inc()
            return generate_latest().decode()
        times = self.scrapes[name]
        return GROWS.sub(lambda m: f"{m[1]} {float(m[2]) * times}", PAGES[name])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page: Callable[[str], str] = self.page

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = page(self.path.strip("/")).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Not on the tests' output."""

        return Handler


def job(name: str, address: str, labels: dict[str, str], **more: Any) -> Object:
    targets = [{"targets": [address], "labels": labels}]
    return {"job_name": name, "metrics_path": f"/{name}", "static_configs": targets, **more}


def jobs(address: str) -> list[Object]:
    """With the labels that the Prometheus operator gives what the chart's monitors name."""
    golden = (ROOT / "tests" / "charts" / "golden" / "everything.yaml").read_text()
    found = [o for o in yaml.safe_load_all(golden) if o and o["kind"] == "ServiceMonitor"]
    honors = found[0]["spec"]["endpoints"][0].get("honorLabels", False)
    of_operator = {"namespace": "martlet-system", "service": "martlet-metrics"}
    return [
        job("operator", address, of_operator, honor_labels=honors),
        *(
            job(name, address, {"namespace": "team", "service": "chat", "revision": name})
            for name in PAGES
        ),
    ]


@pytest.fixture(scope="module")
def told() -> Iterator[None]:
    """What the operator tells while a rollout is on its way, after one that was taken back."""
    kept = RolloutMetrics()
    now = time.time()
    resource = {
        "metadata": {"namespace": "team", "name": "chat"},
        "spec": {"replicas": 2, "canary": {"maxDuration": "2h"}},
    }
    kept.see(resource, status(), status(), watched=now)
    metrics.RESOURCES.labels(kind="InferenceService", phase="Serving").set(1)
    metrics.RECONCILES.labels(controller="InferenceService", result="success").inc()
    metrics.WRITES.labels(verb="apply", kind="Deployment").inc()
    yield
    kept.forget("team", "chat")


def status() -> InferenceServiceStatus:
    evidence = {"guard": "ErrorRate", "verdict": "Pass", "toFail": 0, "toPass": 1.2, "state": "{}"}
    at = "2026-01-01T00:00:00Z"
    canary = {"state": "Stepping", "startedAt": at, "evidence": [evidence], "weight": 10}
    back = {"pins": "Digest", "reason": "GuardFailed", "message": "Worse.", "at": at}
    named = {name: {"revision": name, "digest": digest(name)} for name in ("old", "new", "bad")}
    return InferenceServiceStatus.model_validate(
        {
            "stable": {**named["old"], "readyReplicas": 2, "weight": 90},
            "canary": {**named["new"], **canary},
            "rejected": [{**named["bad"], **back}],
        }
    )


@pytest.fixture(scope="module")
def prometheus(told: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    pages = Pages()
    threading.Thread(target=pages.server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{pages.server.server_port}"
    folder = tmp_path_factory.mktemp("prometheus")
    try:
        with running(from_environment(), jobs(address), folder) as found:
            until = time.monotonic() + 60
            while len(pages.scrapes) < 1 + len(PAGES) or min(pages.scrapes.values()) < SCRAPES:
                assert time.monotonic() < until, pages.scrapes
                time.sleep(0.2)
            yield found
    finally:
        pages.server.shutdown()
        pages.server.server_close()


def last(prometheus: Prometheus, query: str, label: str) -> dict[str, float]:
    """The newest value of each series, by a label."""
    now = time.time()
    found = prometheus.series(query, now - 1, now)
    assert len({s["metric"].get(label) for s in found}) == len(found), found
    return {s["metric"].get(label, ""): float(s["values"][-1][1]) for s in found}


@pytest.mark.parametrize("title", panels())
def test_each_panel_shows_something(prometheus: Prometheus, title: str) -> None:
    now = time.time()
    found = prometheus.series(panels()[title], now - 1, now)
    assert found
    for series in found:
        place = {series["metric"].get(name) for name in ("namespace", "service")}
        assert place <= {"team", "chat", None}, "of whom it is told, not who tells it"


BY_REVISION = [title for title, query in panels().items() if '"part"' in query]


@pytest.mark.parametrize("title", BY_REVISION)
def test_whichever_engine_it_is(prometheus: Prometheus, title: str) -> None:
    assert last(prometheus, panels()[title], "revision").keys() == PAGES.keys()


@pytest.mark.parametrize("title", [t for t in BY_REVISION if "percentile" in t])
def test_percentiles_are_times(prometheus: Prometheus, title: str) -> None:
    for engine, seconds in last(prometheus, panels()[title], "revision").items():
        assert math.isfinite(seconds), engine
        assert seconds > 0, engine


def test_the_share_that_failed_is_that_of_the_pages(prometheus: Prometheus) -> None:
    """SGLang answered 500 once among seven, LMDeploy failed two of eight, by two series of the same
    labels; vLLM never, and has no series of it."""
    found = last(prometheus, panels()["Requests that failed"], "revision")
    assert found["sglang"] == pytest.approx(1 / 7)
    assert found["lmdeploy"] == pytest.approx(2 / 8)
    assert found["vllm"] == 0


def test_every_alert_can_be_judged(prometheus: Prometheus) -> None:
    until = time.monotonic() + 20
    while any(rule["health"] == "unknown" for rule in prometheus.rules()):
        assert time.monotonic() < until
        time.sleep(0.5)
    assert [rule for rule in prometheus.rules() if rule["health"] != "ok"] == []
