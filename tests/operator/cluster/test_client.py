"""What the client counts, and what it leaves of an answer."""

import json

import pytest
from prometheus_client import REGISTRY

from martlet_operator.cluster.client import Client
from martlet_operator.errors import Unavailable


class Api:
    """Answers nothing; what is asked is counted before."""

    async def param_serialize(self, *_: object, **__: object) -> tuple[()]:
        return ()

    async def call_api(self, *_: object, **__: object) -> None:
        raise OSError("gone")


def writes(verb: str, kind: str) -> float:
    labels = {"verb": verb, "kind": kind}
    return REGISTRY.get_sample_value("martlet_api_writes_total", labels) or 0


async def test_writes_are_counted_by_kind_and_readings_are_not() -> None:
    before = writes("patch", "Deployment"), writes("get", "Deployment")
    for method in ("PATCH", "GET", "PATCH"):
        with pytest.raises(Unavailable):
            await Client(Api()).request(method, "/apis/apps/v1/namespaces/a/deployments/b/status")
    assert (writes("patch", "Deployment"), writes("get", "Deployment")) == (
        before[0] + 2,
        before[1],
    )


class Answer:
    status = 200

    def __init__(self, body: object) -> None:
        self.body = body

    async def read(self) -> bytes:
        return json.dumps(self.body).encode()


class Telling(Api):
    def __init__(self, body: object) -> None:
        self.body = body

    async def call_api(self, *_: object, **__: object) -> Answer:  # type: ignore[override]
        return Answer(self.body)


async def test_who_manages_which_field_is_not_kept() -> None:
    managed = {"metadata": {"name": "a", "managedFields": [{"manager": "b"}]}}
    plain = {"metadata": {"name": "a"}}
    found = await Client(Telling(managed)).get("Pod", "c", "a")
    (listed,) = await Client(Telling({"items": [managed]})).list("Pod", "c")
    assert found == plain
    assert listed == {**plain, "kind": "Pod", "apiVersion": "v1"}
