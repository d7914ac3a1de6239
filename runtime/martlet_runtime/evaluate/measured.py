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
    """What a suite came to: of ``rows`` that were asked, ``samples`` were answered; ``errors`` are
    the first reasons of those that were not, or have no judgement."""

    measured: list[Measured]
    rows: int
    samples: list[Sample]
    errors: tuple[str, ...] = ()

    @property
    def unjudged(self) -> int:
        """Answers without the judgement that their score would be."""
        return sum(bool(sample.error) for sample in self.samples)

    @property
    def unscored(self) -> int:
        """Rows without an answer or a judgement."""
        return max(0, self.rows - len(self.samples) + self.unjudged)

    def incomplete(self, figure: Measured) -> int:
        """Rows that are not in a figure: unscored, or without this metric."""
        return max(self.unscored, self.rows - figure.samples)


def stderr_of_mean(values: list[float]) -> float | None:
    """The sample standard deviation over the root of the number of rows; None for one row."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None
