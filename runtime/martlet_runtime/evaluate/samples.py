"""Every row of a scoring: what was asked, what was answered, and what each metric gave it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE = "samples.jsonl"


@dataclass(frozen=True)
class Sample:
    """``asked_digest`` tells whether two scorings asked the same; ``id`` is of the suite.
    ``scores`` are by metric; ``weight`` is what a row counts in the mean of its scores: tokens, of
    a text's window."""

    suite: str
    id: str
    asked: str
    asked_digest: str
    answer: str
    target: str
    scores: dict[str, float] = field(default_factory=dict)
    weight: float = 1.0


def of_review(suite: str, subset: str, line: str) -> Sample:
    """A line of EvalScope's reviews."""
    review = json.loads(line)
    messages = review["messages"]
    asked = [_text(m["content"]) for m in messages if m["role"] != "assistant"]
    answers = [_text(m["content"]) for m in messages if m["role"] == "assistant"]
    value = review["sample_score"]["score"]["value"]
    return Sample(
        suite=suite,
        id=f"{subset}/{review['sample_score']['sample_id']}",
        asked=asked[-1] if asked else "",
        asked_digest=digest(asked),
        answer=answers[-1] if answers else "",
        target="; ".join(map(str, review["target"])),
        scores={name: float(s) for name, s in value.items() if isinstance(s, int | float)},
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write(path: Path, rows: list[Sample]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(asdict(row), ensure_ascii=False, sort_keys=True) + "\n")


def read(path: Path) -> Iterator[Sample]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            yield Sample(**json.loads(line))
