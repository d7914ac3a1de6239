"""The engine of the image vllm-cpu, outside of a pod: the product's own arguments and environment.

What differs is where the model lies and where it listens: a free port of loopback.
"""

import json
import os
import socket
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from martlet_api.contract import ENGINE_PORT, INPUTS_PATH
from martlet_api.engine import Engine
from martlet_operator.inputs.models import KnownModel
from martlet_operator.pods.engine import arguments, environment
from martlet_runtime.errors import RetryableError
from martlet_runtime.evaluate import engine

NAME = "rung"
START_SECONDS, STOP_SECONDS, LOOK_SECONDS = 1800, 60, 5.0
SHOWN = 2000
"""Characters of the engine's log that tell why it failed."""
REQUESTS, AT_ONCE, WARM_UP = 32, 8, 8
PROMPT, ANSWER, ROUNDS = 128, 64, 3
"""Tokens asked with and answered, of each request; how often all of them are asked."""


class EngineDiedError(Exception):
    """It ended, or never answered."""


@dataclass(frozen=True)
class Served:
    """``endpoint``: where a running engine answers."""

    endpoint: str

    def complete(self, prompt: list[int]) -> int:
        """Asks for an answer of ``ANSWER`` tokens; returns how many came."""
        body = {
            "model": NAME, "prompt": prompt, "max_tokens": ANSWER, "temperature": 0,
            "ignore_eos": True,
        }  # fmt: skip
        request = urllib.request.Request(
            f"{self.endpoint}/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            return int(json.load(answer)["usage"]["completion_tokens"])

    def speed(self, vocabulary: int) -> float:
        """Tokens answered a second, the median of ``ROUNDS``; prompts that share no beginning."""
        prompts = [
            [(17 * number + 31 * place * (number + 1)) % vocabulary for place in range(PROMPT)]
            for number in range(REQUESTS * ROUNDS + WARM_UP)
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.complete, prompts[:WARM_UP]))
            rates = []
            for start in range(WARM_UP, len(prompts), REQUESTS):
                began = time.perf_counter()
                tokens = sum(pool.map(self.complete, prompts[start : start + REQUESTS]))
                rates.append(tokens / (time.perf_counter() - began))
        return statistics.median(rates)


@contextmanager
def serving(python: Path, model: Path, log: Path) -> Iterator[Served]:
    """An engine that answers; ended with the block. EngineDiedError with the end of its log."""
    port = free_port()
    with log.open("w") as stream:
        process = subprocess.Popen(
            [python, "-m", "vllm.entrypoints.openai.api_server", *words(model, port)],
            env={"PATH": os.environ["PATH"], **environment(on_accelerator=False)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}/v1"
        wait(process, endpoint, log)
        yield Served(endpoint)
    finally:
        stop(process)


def words(model: Path, port: int) -> list[str]:
    """The product's arguments, but for what belongs to a pod."""
    known = KnownModel(uri="pvc://models/rung", digest="sha256:" + "0" * 64)
    elsewhere = {
        f"{INPUTS_PATH}/model": str(model), str(ENGINE_PORT): str(port), "0.0.0.0": "127.0.0.1"
    }  # fmt: skip
    told = arguments(Engine(), known, NAME, on_accelerator=False)
    return [elsewhere.get(word, word) for word in told]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            return engine.wait(endpoint, NAME, LOOK_SECONDS)
        except RetryableError as error:
            if process.poll() is None and time.monotonic() < until:
                continue
            raise EngineDiedError(f"{error}\n{log.read_text()[-SHOWN:]}") from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """By its own id; it ends its own children."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
