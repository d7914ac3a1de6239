"""Windows of simulated arms."""

import random
from collections.abc import Iterator, Sequence
from math import inf

from martlet_operator.canary.windows import Arm, Window

EDGES = (0.25, 0.5, 0.75, 1.0)
START = 1_000.0
SECONDS = 15.0


def counts(errors: float, requests: float) -> Arm:
    return Arm({"errors": errors, "requests": requests})


def window(number: int, canary: Arm, stable: Arm) -> Window:
    start = START + number * SECONDS
    return Window(start, start + SECONDS, canary, stable)


def error_windows(
    rng: random.Random,
    windows: int,
    canary: float,
    stable: float,
    requests: tuple[int, int] = (15, 135),
) -> Iterator[Window]:
    """Shares of errors of both arms; the first 20 windows are the stable's alone."""
    for number in range(windows):
        x = sum(rng.random() < canary for _ in range(requests[0]))
        y = sum(rng.random() < stable for _ in range(requests[1]))
        made = window(number, counts(x, requests[0]), counts(y, requests[1]))
        yield made.stable_alone if number < 20 else made


def latency_windows(
    rng: random.Random,
    windows: int,
    slower: float,
    requests: tuple[int, int] = (15, 135),
    edges: Sequence[float] = EDGES,
) -> Iterator[Window]:
    """TTFT with a median of 0.3 s; the canary's takes ``slower`` times as long."""
    for number in range(windows):
        arms = []
        for factor, count in zip((slower, 1.0), requests, strict=True):
            times = [0.3 * factor * rng.lognormvariate(0, 0.6) for _ in range(count)]
            histogram = {edge: float(sum(t <= edge for t in times)) for edge in (*edges, inf)}
            arms.append(Arm(histograms={"ttft": histogram}))
        made = window(number, *arms)
        yield made.stable_alone if number < 20 else made


def value_windows(canary: Sequence[float], stable: Sequence[float]) -> Iterator[Window]:
    """A minute each."""
    for number, (own, other) in enumerate(zip(canary, stable, strict=True)):
        end = START + 60.0 * (number + 1)
        yield Window(end - 60, end, Arm(values={"tps": own}), Arm(values={"tps": other}))
