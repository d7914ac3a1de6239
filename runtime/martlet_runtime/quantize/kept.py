"""What a run has measured so far, on the output volume: an attempt after this one goes on there.

One file beside the artifact, written whole or not at all, and removed once the run has ended. Only
what was measured is kept: whether a rung can be tried depends on the node.
"""

from pydantic import ValidationError

from martlet_api.base import StatusModel
from martlet_api.contract import Plan, rungs_uri
from martlet_api.quantizedmodel import RungResult
from martlet_runtime import artifacts
from martlet_runtime.paths import Paths
from martlet_runtime.quantize.scoring import Score


class _Measured(StatusModel):
    """``made_of``: the run and its inputs' digests, without which the figures mean nothing."""

    made_of: list[str]
    perplexity: float
    tokens_per_second: float
    rungs: list[RungResult] = []


class Kept:
    """The figures of one run."""

    def __init__(self, plan: Plan, paths: Paths) -> None:
        assert plan.quantize is not None
        self._path = paths.of_claim(rungs_uri(plan.quantize.output.uri))
        self._made_of = [plan.run, *(item.digest or "" for item in plan.inputs)]
        self._measured = self._read()

    @property
    def baseline(self) -> Score | None:
        known = self._measured
        return Score(known.perplexity, known.tokens_per_second) if known else None

    def found(self, rung: RungResult) -> RungResult | None:
        """What an earlier attempt measured of a rung; None where it did not get so far."""
        tried = self._measured.rungs if self._measured else []
        return next((item for item in tried if _settings(item) == _settings(rung)), None)

    def keep_baseline(self, score: Score) -> None:
        self._write(
            _Measured(
                made_of=self._made_of,
                perplexity=score.perplexity,
                tokens_per_second=score.tokens_per_second,
            )
        )

    def keep(self, rung: RungResult) -> None:
        """One that did not pass: what passes is in the artifact."""
        if rung.perplexity is None or self._measured is None or self.found(rung):
            return
        rungs = [*self._measured.rungs, rung]
        self._write(self._measured.model_copy(update={"rungs": rungs}))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)

    def _write(self, measured: _Measured) -> None:
        self._measured = measured
        artifacts.write_file(self._path, measured.model_dump_json(by_alias=True) + "\n")

    def _read(self) -> _Measured | None:
        if not self._path.is_file():
            return None
        try:
            known = _Measured.model_validate_json(self._path.read_text())
        except ValidationError as error:
            print(f"Begins with the first rung: {self._path.name} cannot be read ({error}).")
            return None
        return known if known.made_of == self._made_of else None


def _settings(rung: RungResult) -> tuple[str, int | None, int | None]:
    return rung.method, rung.bits, rung.group_size
