"""A real Prometheus on loopback, with the alerts, which scrapes as docs/observability.md says."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import packages, ports
from cluster.settings import Settings
from demo.kube import Kube, repository

Object = dict[str, Any]

_SCRAPE_SECONDS = 2
_VARIABLES = {"$namespace": ".*", "$service": ".*", "$__rate_interval": "1m"}
_START_SECONDS = 30.0
_END_SECONDS = 10.0


@dataclass(frozen=True)
class Prometheus:
    url: str

    def series(self, query: str, start: float, end: float) -> list[Object]:
        """What a query gives over a span of Unix time, every five seconds."""
        words = {"query": query, "start": start, "end": end, "step": 5}
        return list(self._get("query_range", words)["result"])

    def rules(self) -> list[Object]:
        """The alerts, each with its ``health``."""
        return [rule for group in self._get("rules", {})["groups"] for rule in group["rules"]]

    def _get(self, what: str, words: Object) -> Object:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(address, timeout=30) as reply:
            found: Object = json.load(reply)["data"]
        return found


@contextmanager
def scraping(settings: Settings, kube: Kube, folder: Path) -> Iterator[Prometheus]:
    """Of the cluster, until it is left."""
    file, over = folder / "targets.json", threading.Event()
    discovery = threading.Thread(target=_discover, args=(kube, file, over))
    with running(settings, of_cluster(file), folder) as prometheus:
        discovery.start()
        try:
            yield prometheus
        finally:
            over.set()
            discovery.join()


def _discover(kube: Kube, file: Path, over: threading.Event) -> None:
    """In the place of kubernetes_sd_configs, which Debian's Prometheus is built without."""
    while not over.is_set():
        found = json.loads(kube("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(targets(found)))
        fresh.replace(file)
        over.wait(_SCRAPE_SECONDS)


def targets(pods: list[Object]) -> list[Object]:
    """A target for each port of a container, with the labels that Prometheus' discovery of pods
    gives it, as far as the document's jobs look at them."""
    return [
        {
            "targets": [f"{pod['status']['podIP']}:{port['containerPort']}"],
            "labels": {
                "__meta_kubernetes_namespace": pod["metadata"]["namespace"],
                "__meta_kubernetes_pod_name": pod["metadata"]["name"],
                "__meta_kubernetes_pod_container_port_name": port.get("name", ""),
                **{
                    f"__meta_kubernetes_pod_label_{re.sub('[^a-zA-Z0-9_]', '_', name)}": value
                    for name, value in pod["metadata"].get("labels", {}).items()
                },
            },
        }
        for pod in pods
        if pod.get("status", {}).get("podIP")
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    ]


@contextmanager
def running(settings: Settings, jobs: list[Object], folder: Path) -> Iterator[Prometheus]:
    """Scrapes ``jobs`` every two seconds until it is left; its data stay in ``folder``."""
    packages.install(settings, packages.PROMETHEUS_NEEDED)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration(jobs)))
    (port,) = ports.free(1)
    command = [
        *("prometheus", f"--config.file={folder / 'prometheus.yaml'}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/-/ready")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(_END_SECONDS)


def configuration(jobs: list[Object]) -> Object:
    every = f"{_SCRAPE_SECONDS}s"
    return {
        "global": {"evaluation_interval": "5s"},
        "rule_files": [str(repository() / "charts" / "martlet" / "files" / "alerts.yaml")],
        "scrape_configs": [{**j, "scrape_interval": every, "scrape_timeout": every} for j in jobs],
    }


def of_cluster(discovered: Path) -> list[Object]:
    """The document's own jobs, with targets from a file."""
    text = (repository() / "docs" / "observability.md").read_text()
    found = re.search(r"^```yaml\n(scrape_configs:.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, "docs/observability.md has no scrape_configs"
    jobs: list[Object] = yaml.safe_load(found[1])["scrape_configs"]
    for job in jobs:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        job["file_sd_configs"] = [{"files": [str(discovered)], "refresh_interval": "1s"}]
    return jobs


def panels() -> dict[str, str]:
    """The dashboard's queries by the titles of their panels, for all services."""
    file = repository() / "charts" / "martlet" / "files" / "rollouts.json"
    return {
        panel["title"]: filled(target["expr"])
        for panel in json.loads(file.read_text())["panels"]
        for target in panel.get("targets", [])
    }


def filled(query: str) -> str:
    """With values in place of Grafana's variables."""
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    return query


def _wait_for(address: str) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return
