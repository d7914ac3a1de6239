"""What a run is trained on, as a file of digests of what its rows ask."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from martlet_api.contract import Input, RowsPlan
from martlet_api.runs import TrainingSet
from martlet_runtime.artifacts import write_file
from martlet_runtime.data import asked
from martlet_runtime.data.digests import Digests
from martlet_runtime.paths import Paths

Row = dict[str, Any]

_FILE = "asked.digests"
_VALIDATION = "validation"


class TrainedOn:
    """All rows of the training data sets count, those that a fraction keeps for validation, too;
    rows of a validation data set of their own do not. ``scratch`` takes what memory does not hold.
    """

    def __init__(self, scratch: Path, plan: RowsPlan | None = None) -> None:
        self._digests, self._rows = Digests(scratch), 0
        self._uri = plan and plan.uri

    def seen(self, rows: Iterator[Row], wanted: Input) -> Iterator[Row]:
        """The same rows, each noted if it is trained on."""
        for row in rows:
            if wanted.name != _VALIDATION:
                self._note(row)
            yield row

    def _note(self, row: Row) -> None:
        self._rows += 1
        for text in asked.in_training(row):
            self._digests.add(asked.digest(text))

    def write(self, paths: Paths, resource: str) -> TrainingSet | None:
        """None where no row was trained on, or there is no place for the file. ``resource`` is
        whose run it is."""
        if not self._rows or self._uri is None:
            return None
        uri = f"{self._uri}/{_FILE}"
        digest = write_file(paths.of_claim(uri), self._digests.chunks())
        return TrainingSet(resource=resource, uri=uri, digest=digest, rows=self._rows)
