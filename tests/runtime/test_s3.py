"""S3 by the real client against moto's server on loopback."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from martlet_api.conditions import Reason
from martlet_api.contract import Input
from martlet_runtime import preflight, stage
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.paths import Paths

MODEL = Input(name="model", kind="Model", uri="s3://models/base")
FILES = {
    "base/config.json": b"{}",
    "base/model.safetensors": b"weights",
    "base/pytorch_model.bin": b"pickle",
    "data/train.jsonl": b'{"query": "q", "response": "a"}\n',
}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket with a model and a data file; the client is told by the environment alone."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "2",
        "NO_PROXY": host,
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="models")
    for key, body in FILES.items():
        client.put_object(Bucket="models", Key=key, Body=body)
    # The client keeps one connection for all it is told; each test tells it another server.
    S3FileSystem.clear_instance_cache()
    yield client
    server.stop()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(*(tmp_path / name for name in ("inputs", "work", "volumes", "end")))
    for folder in (found.inputs, found.work):
        folder.mkdir()
    return found


def lock(wanted: Input, paths: Paths) -> Input:
    return wanted.model_copy(update={"digest": preflight.lock(wanted, paths).digest})


def test_a_model_is_brought_without_its_pickles(bucket: Any, paths: Paths) -> None:
    stage.bring(lock(MODEL, paths), paths)
    assert {p.name for p in (paths.inputs / "model").iterdir()} == {
        "config.json",
        "model.safetensors",
    }


def test_a_data_file(bucket: Any, paths: Paths) -> None:
    rows = Input(
        name="rows", kind="Dataset", uri="s3://models/data/train.jsonl", rows="Conversation"
    )
    stage.bring(lock(rows, paths), paths)
    assert (paths.inputs / "rows").read_bytes() == FILES["data/train.jsonl"]


def test_an_object_that_changed_since_is_refused(bucket: Any, paths: Paths) -> None:
    locked = lock(MODEL, paths)
    bucket.put_object(Bucket="models", Key="base/model.safetensors", Body=b"Weights")
    with pytest.raises(UserError) as caught:
        stage.bring(locked, paths)
    assert caught.value.reason == Reason.DIGEST_MISMATCH


@pytest.mark.parametrize("uri", ["s3://models/nothing", "s3://nowhere/base"])
def test_what_is_not_there(bucket: Any, paths: Paths, uri: str) -> None:
    with pytest.raises(UserError) as caught:
        lock(MODEL.model_copy(update={"uri": uri}), paths)
    assert caught.value.reason == Reason.MODEL_NOT_FOUND


def test_a_store_that_is_down_is_tried_again(
    bucket: Any, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(RetryableError) as caught:
        lock(MODEL, paths)
    assert caught.value.reason == Reason.SOURCE_UNAVAILABLE
