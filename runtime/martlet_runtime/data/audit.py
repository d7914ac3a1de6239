"""A sample of the rows that people may look at before training."""

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from martlet_api.contract import RowsPlan
from martlet_api.finetunejob import AuditSample
from martlet_runtime.artifacts import write_file
from martlet_runtime.paths import Paths

Row = dict[str, Any]

_FILE = "audit.jsonl"
_BLOCK = 1000


class Audit:
    """At least ``audit_fraction`` of every thousand rows that follow one another, drawn by the
    seed: a stretch of bad rows cannot hide between samples."""

    def __init__(self, plan: RowsPlan | None = None) -> None:
        self._plan = plan or RowsPlan()
        self._rng = random.Random(self._plan.seed)  # noqa: S311
        self._block: list[str] = []
        self._chosen: list[str] = []

    def seen(self, rows: Iterator[Row], uri: str) -> Iterator[Row]:
        """The same rows, each noted."""
        name = Path(uri).name
        for row in rows:
            self._block.append(json.dumps({"file": name, "row": row}, default=str) + "\n")
            if len(self._block) == _BLOCK:
                self._draw()
            yield row

    def write(self, paths: Paths) -> AuditSample | None:
        """The sample as a file; None where nobody asked for one."""
        self._draw()
        if not self._chosen or self._plan.uri is None:
            return None
        uri = f"{self._plan.uri}/{_FILE}"
        digest = write_file(paths.of_claim(uri), "".join(self._chosen))
        return AuditSample(sample=uri, digest=digest, rows=len(self._chosen))

    def _draw(self) -> None:
        wanted = math.ceil(len(self._block) * (self._plan.audit_fraction or 0))
        kept = sorted(self._rng.sample(range(len(self._block)), wanted))
        self._chosen += [self._block[index] for index in kept]
        self._block = []
