"""A metric of a suite, and how sure it is."""

from dataclasses import dataclass
from math import sqrt
from statistics import stdev

from martlet_runtime.evaluate.samples import Sample


@dataclass(frozen=True)
class Measured:
    """A metric by EvalScope's name, over ``samples`` rows that were scored. ``stderr`` is the
    value's standard error, None where one cannot be told."""

    metric: str
    value: float
    samples: int
    stderr: float | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Answers:
    """What a suite came to: of ``rows`` that were asked, ``samples`` were scored; ``errors`` are
    the first reasons of the others."""

    measured: list[Measured]
    rows: int
    samples: list[Sample]
    errors: tuple[str, ...] = ()

    def incomplete(self, figure: Measured) -> int:
        """Rows that are not in a figure: without an answer, or without this metric."""
        return max(0, self.rows - min(figure.samples, len(self.samples)))


def stderr_of_mean(values: list[float]) -> float | None:
    """The sample standard deviation over the root of the number of rows; None for one row."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None
