"""What the operator costs with 1, 50 and 500 services in canary: CPU, memory, requests, scrape lag.

A real API server and the real operator; kubelet, controllers, gateway and engines are stand-ins
(stand_in.py) on loopback. All on one machine, so the sides take CPU from each other. Needs the
cluster's programs: ``python -m cluster build``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "e2e"))

from stand_in import Pages, World  # noqa: E402

from cluster.apiserver import ApiServer  # noqa: E402
from cluster.build import modules  # noqa: E402
from cluster.settings import from_environment  # noqa: E402
from cluster.trim import GATEWAY_API  # noqa: E402
from martlet_operator.cluster.client import Client  # noqa: E402

Object = dict[str, Any]
OWN, GATEWAYS, EACH = "martlet-system", "gateways", 10
"""Namespaces of the operator and of the Gateway; how many services a team has in its own."""
IMAGES = ("RUNTIME", "VLLM_CPU", "VLLM_CUDA", "LMDEPLOY", "SGLANG")
DIGEST = f"sha256:{'1' * 64}"
OPERATOR_METRICS = "http://127.0.0.1:9090/metrics"
SETTLE_SECONDS = 900.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--services", type=int, nargs="*", default=[1, 50, 500])
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    print(Cost.HEAD)
    for count in asked.services:
        print(asyncio.run(measure(count, asked.seconds)), flush=True)


@dataclass(frozen=True)
class Cost:
    """``cpu`` of one core; memory in MiB; requests to the API server and writes a second; seconds
    between two readings of a pod; seconds from a page full of errors to weight 0 in the route."""

    services: int
    cpu: float
    memory: float
    most_memory: float
    requests: float
    writes: float
    intervals: list[float]
    back: float

    HEAD = (
        "| services in canary | CPU, cores | memory, MiB (most) | requests/s (writes) | "
        "pod read every, s: median, 95 %, most | errors to weight 0, s |\n|---|---|---|---|---|---|"
    )

    def __str__(self) -> str:
        late = quantiles(self.intervals, n=20)[18]
        return (
            f"| {self.services} | {self.cpu:.2f} | {self.memory:.0f} ({self.most_memory:.0f}) | "
            f"{self.requests:.1f} ({self.writes:.1f}) | {median(self.intervals):.1f}, {late:.1f}, "
            f"{max(self.intervals):.1f} | {self.back:.1f} |"
        )


async def measure(count: int, seconds: float) -> Cost:
    with ApiServer() as server:
        install(server, count)
        client, pages = await connected(server), Pages()
        runner = await pages.serve()
        world = World(client)
        turns = asyncio.create_task(world.run())
        turns.add_done_callback(told)
        try:
            with operator(server) as process:
                await make(client, count)
                await until(client, count, lambda status: "stable" in status, "serve")
                await change(client, count)
                await until(client, count, is_stepping, "step")
                await asyncio.sleep(15)
                return await cost(client, process.pid, pages, world, count, seconds)
        finally:
            turns.cancel()
            await runner.cleanup()
            await client.close()


async def cost(
    client: Client, pid: int, pages: Pages, world: World, count: int, seconds: float
) -> Cost:
    begin, before = time.time(), await requests(client)
    cpu, writes = cpu_seconds(pid), written()
    await asyncio.sleep(seconds)
    took = time.time() - begin
    after = await requests(client)
    own = seconds * 2  # the stand-in lists two kinds a second
    intervals = [
        b - a for times in pages.read.values() for a, b in itertools.pairwise(times) if b >= begin
    ]
    return Cost(
        services=count,
        cpu=(cpu_seconds(pid) - cpu) / took,
        memory=memory(pid, "VmRSS"),
        most_memory=memory(pid, "VmHWM"),
        requests=(after - before - own) / took,
        writes=(written() - writes) / took,
        intervals=intervals,
        back=await going_back(client, pages, world),
    )


async def going_back(client: Client, pages: Pages, world: World) -> float:
    """Of the first service, while all others run."""
    item = await client.get("InferenceService", team(0), "s-0")
    assert item is not None
    canary = item["status"]["canary"]["revision"]
    pages.failing.add(world.pods[f"{canary}-0"]["address"])
    begin = time.time()
    while True:
        route = await client.get("HTTPRoute", team(0), "s-0")
        assert route is not None
        refs = route["spec"]["rules"][0]["backendRefs"]
        if not any(ref["name"] == canary and ref.get("weight") for ref in refs):
            return time.time() - begin
        await asyncio.sleep(0.2)


def team(number: int) -> str:
    """The namespace of a service."""
    return f"team-{number // EACH}"


def install(server: ApiServer, count: int) -> None:
    kubectl = [str(from_environment().bin / "kubectl"), f"--kubeconfig={server.kubeconfig}"]
    gateway = modules([GATEWAY_API])[GATEWAY_API] / "config" / "crd" / "standard"
    for folder in (ROOT / "crds", gateway):
        subprocess.run(
            [*kubectl, "apply", "--server-side", "-f", str(folder)],
            check=True,
            capture_output=True,
        )
    wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]
    subprocess.run([*kubectl, *wait], check=True, capture_output=True)
    teams = [team(number) for number in range(0, count, EACH)]
    for name in (OWN, GATEWAYS, *teams):
        subprocess.run([*kubectl, "create", "namespace", name], check=True, capture_output=True)
    for name in teams:
        account = ["create", "serviceaccount", "default", "-n", name]
        subprocess.run([*kubectl, *account], check=True, capture_output=True)


async def connected(server: ApiServer) -> Client:
    configuration = kubernetes_client.Configuration()
    await kubernetes_config.load_kube_config(
        str(server.kubeconfig), client_configuration=configuration
    )
    return Client(kubernetes_client.ApiClient(configuration=configuration))


@contextmanager
def operator(server: ApiServer) -> Iterator[subprocess.Popen[bytes]]:
    images = {f"MARTLET_IMAGE_{name}": f"{name.lower()}:1" for name in IMAGES}
    with (server.folder / "operator.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "martlet_operator"],
            env={**os.environ, **images, "KUBECONFIG": str(server.kubeconfig)},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def make(client: Client, count: int) -> None:
    """The Gateway, a model that is there already in each namespace, and the services."""
    gateway = {"gatewayClassName": "none", "listeners": [LISTENER]}
    version = "gateway.networking.k8s.io/v1"
    await client.create(resource(version, "Gateway", GATEWAYS, "models", gateway))
    for number in range(count):
        if number % EACH == 0:
            await make_model(client, team(number))
        about = (OUR_VERSION, "InferenceService", team(number), f"s-{number}")
        await client.create(resource(*about, spec(number)))


async def make_model(client: Client, namespace: str) -> None:
    """By a FineTuneJob that says that it is done."""
    job = {
        "model": {"uri": "pvc://models/base"},
        "datasets": [{"uri": "pvc://data/train.jsonl"}],
        "output": {"uri": "pvc://models"},
        "suspend": True,
    }
    await client.create(resource(OUR_VERSION, "FineTuneJob", namespace, "tune", job))
    artifact = {
        "uri": "pvc://models/tuned",
        "digest": DIGEST,
        "format": "safetensors",
        "bytes": 100,
    }
    await client.request(
        "PATCH",
        f"/apis/{OUR_VERSION}/namespaces/{namespace}/finetunejobs/tune/status",
        body={"status": {"artifact": artifact}},
        content_type="application/merge-patch+json",
    )


OUR_VERSION = "martlet.dev/v1alpha1"
LISTENER = {"name": "http", "port": 80, "protocol": "HTTP"}
CANARY = {
    "steps": [{"weight": 10, "minDuration": "24h"}],
    "guards": [
        {"metric": "ErrorRate", "tolerance": 1.5, "margin": 0.005},
        {"metric": "TimeToFirstToken", "tolerance": 1.25},
        {"metric": "InterTokenLatency", "tolerance": 1.25},
    ],
    "warmUp": "0s",
}


def spec(number: int) -> Object:
    gateway = {"name": "models", "namespace": GATEWAYS}
    endpoint = {"gateway": gateway, "hostnames": [f"s-{number}.example.com"]}
    source = {"from": {"kind": "FineTuneJob", "name": "tune"}}
    return {"model": source, "endpoint": endpoint, "canary": CANARY}


def resource(version: str, kind: str, namespace: str, name: str, spec: Object) -> Object:
    about = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": about, "spec": spec}


async def change(client: Client, count: int) -> None:
    """Another revision of each."""
    patch = {"spec": {"engine": {"maxModelLen": 4096}}}
    for number in range(count):
        await client.merge("InferenceService", team(number), f"s-{number}", patch)


def told(task: asyncio.Task[None]) -> None:
    """A stand-in that broke ends the whole."""
    if not task.cancelled() and (error := task.exception()):
        traceback.print_exception(error)
        os._exit(1)


async def until(client: Client, count: int, reached: Any, word: str) -> None:
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        items = await client.list("InferenceService", None)
        there = sum(bool(reached(item.get("status") or {})) for item in items)
        if there == count:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"{there} of {count} services {word}: {json.dumps(items[0])[:2000]}")
        await asyncio.sleep(2)


def is_stepping(status: Object) -> bool:
    canary = status.get("canary") or {}
    return canary.get("state") == "Stepping" and bool(canary.get("since"))


async def requests(client: Client) -> float:
    """All that the API server was asked so far, but for watches."""
    text = await metrics(client)
    found = re.findall(r'^apiserver_request_total\{[^}]*verb="(?!WATCH)[^}]*\} (\S+)$', text, re.M)
    return sum(map(float, found))


async def metrics(client: Client) -> str:
    serialized = await client.api.param_serialize("GET", "/metrics", header_params={})
    response = await client.api.call_api(*serialized)
    return (await response.read()).decode()


def written() -> float:
    with urllib.request.urlopen(OPERATOR_METRICS, timeout=10) as reply:
        text = reply.read().decode()
    found = re.findall(r"^martlet_api_writes_total\{[^}]*\} (\S+)$", text, re.M)
    return sum(map(float, found))


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
