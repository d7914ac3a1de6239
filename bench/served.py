"""The engine of the image vllm-cpu, outside of a pod: the product's own arguments and environment.

What differs is where the model lies and where it listens: a free port of loopback.
"""

import os
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from martlet_api.contract import ENGINE_PORT, INPUTS_PATH
from martlet_api.engine import Engine
from martlet_api.pods import PodSettings
from martlet_operator.engines import vllm
from martlet_operator.engines.dialect import Launch
from martlet_operator.inputs.models import KnownModel
from martlet_runtime.errors import RetryableError
from martlet_runtime.evaluate import engine

NAME = "rung"
LAUNCH = Launch(
    Engine(type="vLLM"), KnownModel("pvc://models/rung", "sha256:" + "0" * 64), NAME, PodSettings()
)
"""As an InferenceService on a CPU that sets nothing."""
START_SECONDS, STOP_SECONDS, LOOK_SECONDS, TIMEOUT_SECONDS = 1800, 60, 5.0, 300.0
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
        answer = engine.ask(f"{self.endpoint}/completions", body, TIMEOUT_SECONDS)
        return int(answer["usage"]["completion_tokens"])

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
    """An engine that answers; ended with the block. EngineDiedError if it never does."""
    port = free_port()
    with log.open("w") as stream:
        process = subprocess.Popen(
            [python, *vllm.DIALECT.command[1:], *words(model, port)],
            env={"PATH": os.environ["PATH"], **vllm.environment(LAUNCH)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}/v1"
        wait(process, endpoint)
        yield Served(endpoint)
    finally:
        stop(process)


def words(model: Path, port: int) -> list[str]:
    """The product's arguments, but for what belongs to a pod."""
    elsewhere = {
        f"{INPUTS_PATH}/model": str(model), str(ENGINE_PORT): str(port), "0.0.0.0": "127.0.0.1"
    }  # fmt: skip
    return [elsewhere.get(word, word) for word in vllm.arguments(LAUNCH)]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait(process: subprocess.Popen[bytes], endpoint: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            return engine.wait(endpoint, NAME, LOOK_SECONDS)
        except RetryableError as error:
            if process.poll() is None and time.monotonic() < until:
                continue
            raise EngineDiedError(str(error)) from error


def stop(process: subprocess.Popen[bytes]) -> None:
    """By its own id; it ends its own children."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
