"""The picture of a rollout: who got which share, what the operator was at, and what users saw.

``drawing`` makes its data from what was recorded, pure; ``save`` draws them with matplotlib.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from rollouts.load import Record, Records
from rollouts.timeline import Status, Timeline

WIDTH, HEIGHT, DPI = 15.0, 9.0, 100
"""Inches, and pixels an inch."""
BIN_SECONDS = 2.0
_NARROW = 0.045
"""Of the whole width: a band that is not wider has its name written upwards."""
NOBODY = "not told"
"""Whose answers have no fingerprint: lost ones, and those of an engine that is not asked for it."""

_COLOURS = ("#4477aa", "#ee7733", "#228833", "#aa3377", "#66ccee", "#bbbb33")
_LOST = "#cc0000"
_STATES = {
    "Loading": "#e8e8e8",
    "Stepping": "#fdebd3",
    "Promoting": "#d8ecd8",
    "Baking": "#d8ecd8",
    "RollingBack": "#f8d4d4",
}


@dataclass(frozen=True)
class Band:
    """A state of the canary, in seconds from the beginning."""

    begin: float
    end: float
    state: str
    text: str


@dataclass(frozen=True)
class Drawing:
    """Seconds from the beginning throughout. ``weights`` are points of a step function, in percent,
    by the revision's name; ``rates`` complete answers a second by name, one a bin; ``first`` points
    of seconds to the first token; ``lost`` when each lost request began."""

    seconds: float
    bands: list[Band]
    weights: dict[str, list[tuple[float, int]]]
    rates: dict[str, list[float]]
    first: dict[str, list[tuple[float, float]]]
    lost: list[float]
    marks: list[tuple[float, str]]

    @property
    def names(self) -> list[str]:
        """Of revisions, in the order in which they had requests."""
        return list(dict.fromkeys([*self.weights, *self.rates]))


def drawing(timeline: Timeline, records: Records) -> Drawing:
    """What is to be drawn."""
    begin, end = _span(timeline, records)
    complete = [record for record in records.all if not record.lost]
    return Drawing(
        seconds=end - begin,
        bands=_bands(timeline, begin, end),
        weights=_weights(timeline, begin, end),
        rates=_rates(complete, begin, end),
        first=_first(complete, begin),
        lost=sorted(record.started - begin for record in records.lost),
        marks=[(mark.at - begin, mark.text) for mark in timeline.marks],
    )


def _span(timeline: Timeline, records: Records) -> tuple[float, float]:
    """From the first request, or from what was seen where there is none, to the end of all."""
    seen = [s.at for s in timeline.statuses] + [r.at for r in timeline.routes]
    seen += [mark.at for mark in timeline.marks]
    asked = [record.started for record in records.all]
    ends = [record.started + record.took for record in records.all]
    return min(asked or seen), max(seen + ends)


def _bands(timeline: Timeline, begin: float, end: float) -> list[Band]:
    """One a state and step; none while there is no canary."""
    changes: list[Status] = []
    for status in timeline.statuses:
        if not changes or _place(changes[-1]) != _place(status):
            changes.append(status)
    ends = [status.at for status in changes[1:]] + [end]
    return [
        Band(max(0.0, s.at - begin), until - begin, s.state, _text(s, timeline))
        for s, until in zip(changes, ends, strict=True)
        if s.state and until > begin
    ]


def _place(status: Status) -> tuple[str | None, str | None, int]:
    return status.canary, status.state, status.step if status.state == "Stepping" else 0


def _text(status: Status, timeline: Timeline) -> str:
    words = {"RollingBack": "Rolling back", "Stepping": f"Step {status.step}"}
    state = status.state or ""
    return f"{words.get(state, state)}\n{timeline.name(status.canary or '')}"


def _weights(timeline: Timeline, begin: float, end: float) -> dict[str, list[tuple[float, int]]]:
    """As the gateway has taken them."""
    revisions = dict.fromkeys(revision for route in timeline.routes for revision in route.weights)
    found = {}
    for name in dict.fromkeys(map(timeline.name, revisions)):
        points = timeline.weights_of(name)
        last = points[-1:] and [(end - begin, points[-1][1])]
        found[name] = [(max(0.0, at - begin), weight) for at, weight in points] + last
    return found


def _rates(complete: list[Record], begin: float, end: float) -> dict[str, list[float]]:
    bins = int((end - begin) / BIN_SECONDS) + 1
    counts = {name: Counter[int]() for name in _whose(complete)}
    for record in complete:
        counts[record.revision or NOBODY][int((record.started - begin) / BIN_SECONDS)] += 1
    return {
        name: [count[place] / BIN_SECONDS for place in range(bins)]
        for name, count in counts.items()
    }


def _first(complete: list[Record], begin: float) -> dict[str, list[tuple[float, float]]]:
    chats = [record for record in complete if record.kind == "chat"]
    return {
        name: [
            (record.started - begin, record.first)
            for record in chats
            if (record.revision or NOBODY) == name and record.first is not None
        ]
        for name in _whose(chats)
    }


def _whose(records: list[Record]) -> list[str]:
    ordered = sorted(records, key=lambda record: record.started)
    return list(dict.fromkeys(record.revision or NOBODY for record in ordered))


def save(found: Drawing, title: str, path: Path) -> Path:
    """A PNG of WIDTH by HEIGHT inches."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1.6, 1.6])
    figure.subplots_adjust(left=0.065, right=0.99, bottom=0.06, top=0.95, hspace=0.06)
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(found.names)}
    top.set_title(title, loc="left", fontsize=13)
    _draw_bands(top, found)
    _draw_weights(top, found, colours)
    _draw_rates(middle, found, colours)
    _draw_first(bottom, found, colours)
    for axes in (top, middle, bottom):
        axes.grid(visible=True, alpha=0.25)
        for at, _ in found.marks:
            axes.axvline(at, color="#555555", linewidth=0.8, linestyle=":")
    bottom.set_xlim(0, max(found.seconds, BIN_SECONDS))
    bottom.set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    return path


def _draw_bands(axes: Axes, found: Drawing) -> None:
    for band in found.bands:
        axes.axvspan(band.begin, band.end, color=_STATES.get(band.state, "#ffffff"), linewidth=0)
        middle = (band.begin + band.end) / 2
        if band.end - band.begin > found.seconds * _NARROW:
            axes.text(middle, 113, band.text, ha="center", va="center")
        else:
            text = band.text.replace("\n", " ")
            axes.text(middle, 96, text, rotation=90, ha="center", va="top", fontsize=8)
    for at, text in found.marks:
        axes.text(at, 4, text, rotation=90, ha="right", va="bottom", fontsize=8)


def _draw_weights(axes: Axes, found: Drawing, colours: dict[str, str]) -> None:
    for name, points in found.weights.items():
        at, percent = zip(*points, strict=True)
        axes.step(at, percent, where="post", label=name, color=colours[name], linewidth=2.2)
    axes.plot(
        found.lost, [-8] * len(found.lost), "x", color=_LOST, label=f"lost ({len(found.lost)})"
    )
    axes.set_ylim(-14, 126)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_ylabel("percent of requests")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=8, frameon=False)


def _draw_rates(axes: Axes, found: Drawing, colours: dict[str, str]) -> None:
    lost = Counter(int(at / BIN_SECONDS) for at in found.lost)
    bins = int(found.seconds / BIN_SECONDS) + 1
    at = [BIN_SECONDS * place for place in range(bins)]
    axes.stackplot(
        at,
        *found.rates.values(),
        [lost[place] / BIN_SECONDS for place in range(bins)],
        colors=[*(colours[name] for name in found.rates), _LOST],
        step="post",
        alpha=0.75,
    )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("requests a second\nby who answered")


def _draw_first(axes: Axes, found: Drawing, colours: dict[str, str]) -> None:
    for name, points in found.first.items():
        at, seconds = zip(*points, strict=True)
        axes.plot(at, seconds, ".", color=colours[name], markersize=5)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("seconds to the\nfirst token")
