"""Prints one line for each step, with its seconds, and runs independent steps side by side."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass


class StepError(Exception):
    """A step failed; the message names the step and the log to read."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time what happens inside and print one line at its end."""
    start = time.monotonic()
    try:
        yield
    except Exception as error:
        _line(f"{name}: failed", start)
        raise StepError(f"step `{name}` failed: {error}") from error
    _line(name, start)


def _line(text: str, start: float) -> None:
    sys.stderr.write(f"{text:.<52} {time.monotonic() - start:6.1f} s\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class Parallel:
    """Steps that were started; `wait` ends when they have, and raises what the first raised."""

    pool: ThreadPoolExecutor
    futures: list[Future[None]]

    def start(self, name: str, work: Callable[[], None]) -> Future[None]:
        def timed() -> None:
            with step(name):
                work()

        future = self.pool.submit(timed)
        self.futures.append(future)
        return future

    def wait(self) -> None:
        for future in self.futures:
            future.result()


@contextmanager
def parallel() -> Iterator[Parallel]:
    """Steps started inside run side by side; the end waits for all of them."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        steps = Parallel(pool, [])
        yield steps
        steps.wait()
