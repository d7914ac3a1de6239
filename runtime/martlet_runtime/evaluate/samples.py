"""Every row of a scoring: what was asked, what was answered, and what each metric gave it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from martlet_api.evalrun import Suite
from martlet_runtime.evaluate import judge

FILE = "samples.jsonl"


@dataclass(frozen=True)
class Sample:
    """``asked_digest`` tells whether two scorings asked the same; ``id`` is of the suite.
    ``scores`` are by metric; ``weight`` is what a row counts in the mean of its scores: tokens, of
    a text's window. ``judgement`` is what a judge said, and ``error`` why there is no score."""

    suite: str
    id: str
    asked: str
    asked_digest: str
    answer: str
    target: str
    scores: dict[str, float] = field(default_factory=dict)
    weight: float = 1.0
    judgement: str = ""
    error: str = ""


def of_review(suite: Suite, subset: str, line: str) -> Sample:
    """A line of EvalScope's reviews. What stands in for a judgement that failed is no score."""
    review = json.loads(line)
    error = judge.failure(review) if suite.is_judged else None
    messages = review["messages"]
    asked = [_text(m["content"]) for m in messages if m["role"] != "assistant"]
    answers = [_text(m["content"]) for m in messages if m["role"] == "assistant"]
    value = review["sample_score"]["score"]["value"]
    return Sample(
        suite=suite.name,
        id=f"{subset}/{review['sample_score']['sample_id']}",
        asked=asked[-1] if asked else "",
        asked_digest=digest(asked),
        answer=answers[-1] if answers else "",
        target="; ".join(map(str, review["target"] or [])),
        scores={} if error else _numbers(value),
        judgement=judge.judgement(review) if suite.is_judged else "",
        error=error or "",
    )


def _numbers(value: dict[str, Any]) -> dict[str, float]:
    return {name: float(score) for name, score in value.items() if isinstance(score, int | float)}


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
