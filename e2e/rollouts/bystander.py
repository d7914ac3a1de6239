"""A second service with requests of its own, which must not notice the first one's rollouts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from demo import gateway
from demo.kube import Kube, Object
from rollouts import models, service
from rollouts.load import Load, Plan, Records
from rollouts.scenario import Ground
from rollouts.service import Version

NAME = "bystander"
HOST = "bystander.example.com"
_RATE = 1.0
_SECONDS = 900.0


@dataclass
class Bystander:
    """``records`` are filled once it is over."""

    kube: Kube
    namespace: str
    records: Records = field(default_factory=Records)

    def objects(self) -> dict[str, tuple[int, Object]]:
        """What the operator made for it: generation and spec of each."""
        kinds, selector = "deployment,service,httproute", f"martlet.dev/name={NAME}"
        found = self.kube.list(kinds, self.namespace, selector)
        return {
            f"{item['kind']}/{item['metadata']['name']}": (
                item["metadata"].get("generation", 0),
                item["spec"],
            )
            for item in found
        }


@contextmanager
def bystander(ground: Ground) -> Iterator[Bystander]:
    """Serves from the beginning to the end, and is gone afterwards."""
    kube, namespace = ground.kube, ground.namespace
    about = (f"inferenceservice/{NAME}", "-n", namespace)
    kube.apply(json.dumps(manifest(namespace)))
    try:
        kube("wait", "--for=condition=Ready", "--timeout=300s", *about)
        gateway.ask(kube, HOST, NAME, ground.questions[0][0])
        made = Bystander(kube, namespace)
        load = Load(plan(ground))
        load.start()
        try:
            yield made
        finally:
            made.records = load.stop()
    finally:
        kube("delete", "--wait", *about)


def manifest(namespace: str) -> Object:
    """As the first service, under a name and a host of its own."""
    item = service.manifest(Version(NAME), {}, namespace)
    item["metadata"]["name"] = NAME
    item["spec"]["endpoint"]["hostnames"] = [HOST]
    return item


def plan(ground: Ground) -> Plan:
    return Plan(
        url=gateway.address(ground.kube),
        host=HOST,
        model=NAME,
        questions=ground.questions,
        system=models.SYSTEM,
        rate=_RATE,
        seconds=_SECONDS,
    )
