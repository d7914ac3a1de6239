"""What a load's records come to. Pure."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from rollouts.load import Record, Records


@dataclass(frozen=True)
class Summary:
    """``by_revision`` counts complete answers by the fingerprint of who gave them, ``errors`` lost
    requests by what became of them. Times in seconds: of the first token of chats, and of whole
    answers; at 50, 95 and 99 percent."""

    requests: int
    lost: int
    skipped: int
    wrong: int
    by_revision: dict[str, int]
    errors: dict[str, int]
    first_token: dict[int, float]
    whole: dict[int, float]


def summarize(records: Records) -> Summary:
    complete = [record for record in records.all if not record.lost]
    streams = [r.first for r in complete if r.kind == "chat" and r.first is not None]
    return Summary(
        requests=len(records.all),
        lost=len(records.lost),
        skipped=records.skipped,
        wrong=sum(not record.right for record in complete),
        by_revision=dict(Counter(record.revision or "unknown" for record in complete)),
        errors=dict(Counter(_short(record) for record in records.lost)),
        first_token=percentiles(streams),
        whole=percentiles([record.took for record in complete]),
    )


def percentiles(values: list[float], at: tuple[int, ...] = (50, 95, 99)) -> dict[int, float]:
    """By the nearest rank; empty without values."""
    ordered = sorted(values)
    return {p: ordered[math.ceil(len(ordered) * p / 100) - 1] for p in at if ordered}


def _short(record: Record) -> str:
    return str(record.error).split(":")[0]


def lines(summary: Summary) -> list[str]:
    """For people."""
    wrong = f", {summary.wrong} answered wrong" if summary.wrong else ""
    skipped = f", {summary.skipped} not sent" if summary.skipped else ""
    return [
        f"{summary.requests} requests, {summary.lost} lost{wrong}{skipped}",
        f"answered by: {_counts(summary.by_revision)}",
        *([f"lost to: {_counts(summary.errors)}"] if summary.errors else []),
        f"first token of chats {_times(summary.first_token)}",
        f"whole answers        {_times(summary.whole)}",
    ]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _times(at: dict[int, float]) -> str:
    return ", ".join(f"p{p} {value * 1000:.0f} ms" for p, value in at.items())
