"""One rollout under load, from the change of the spec to its end, with all that was seen of it."""

from __future__ import annotations

import itertools
import json
import os
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from demo import gateway, road, story
from demo.kube import Kube, Object, repository
from rollouts import models, picture, said, service, summary
from rollouts.going_back import GoingBack, going_back
from rollouts.load import Load, Plan, Record, Records
from rollouts.models import Question
from rollouts.service import End, Version
from rollouts.timeline import Timeline, Watcher

_TITLE = 140
_SETTLE_SECONDS = 0.5
_LOOK_SECONDS = 0.1
_BEFORE_SECONDS = 5.0
_AFTER_SECONDS = 5.0
"""The load begins before the change and ends after the end, so that both sides can be seen."""
_HOLDS_SECONDS = 3.0
"""What is the end lasts; between a canary that was withdrawn and a newer one nothing is on its way
for a moment."""


@dataclass
class Ground:
    """A service that serves ``stable``, and what it can be asked."""

    kube: Kube
    namespace: str
    questions: list[Question]
    stable: Version
    asked: tuple[Version, int] | None = None
    """The version of the last change of the spec, and the generation that the change made."""

    def get(self) -> Object:
        found = self.kube.get("inferenceservice", service.NAME, self.namespace)
        assert found is not None, "the service is gone"
        return found

    def ask_for(self, version: Version, canary: Object, gates: tuple[str, ...] = ()) -> None:
        """Changes the spec."""
        wanted = service.manifest(version, canary, self.namespace, gates)
        words = ("apply", "-f", "-", "-o", "jsonpath={.metadata.generation}")
        self.asked = (version, int(self.kube(*words, stdin=json.dumps(wanted))))

    def is_seen(self, item: Object) -> bool:
        """Whether the item is one after the last change, and the operator has looked at it."""
        generation = self.asked[1] if self.asked else 0
        observed = story.ready_of(item).get("observedGeneration", 0)
        return bool(observed >= generation)

    def took_over(self) -> None:
        """What was asked for last serves now."""
        if self.asked:
            self.stable = self.asked[0]


@dataclass(frozen=True)
class Try:
    """A candidate and how it is to come. ``rate`` in requests a second: 0 sends none. ``each`` is
    called at every look with the service as it is, and may change things. ``seconds`` bound it,
    where most are over in 100: on a busy machine they take some hundreds."""

    name: str
    candidate: Version
    canary: Object
    rate: float = 6.0
    seconds: float = 600.0
    gates: tuple[str, ...] = ()
    each: Callable[[Object, Timeline], None] = lambda _item, _timeline: None


@dataclass(frozen=True)
class Course:
    """What was seen of a candidate of this name; ``end`` is None where time was up before."""

    name: str
    end: End | None
    service: Object
    records: Records
    timeline: Timeline

    @property
    def ready(self) -> Object:
        return story.ready_of(self.service)

    @property
    def summary(self) -> summary.Summary:
        return summary.summarize(self.records)

    def weights(self, name: str) -> list[int]:
        """Of a version, as the gateway had taken them, one after another without repeats."""
        found = [weight for _, weight in self.timeline.weights_of(name)]
        return [weight for weight, _ in itertools.groupby(found)]

    @property
    def going_back(self) -> GoingBack | None:
        return going_back(self.timeline, self.records, self.name)

    def lost_without(self, name: str) -> list[Record]:
        """Requests lost while this version had none: another is to blame for them, or the change.
        The seconds in which a weight changes count for both sides."""
        return [
            record
            for record in self.records.lost
            if not self.timeline.had_requests(name, record.started, record.started + record.took)
        ]


def output() -> Path:
    """Where pictures and records are put."""
    given = os.environ.get("MARTLET_E2E_OUTPUT")
    return Path(given) if given else repository() / ".cluster" / "rollouts"


def begin(kube: Kube, stable: Version, namespace: str = road.NAMESPACE) -> Ground:
    """The models, and a service that serves ``stable``; RoadError when it does not come up.

    One that an earlier run left goes: it would remember what it rejected.
    """
    words = ("inferenceservice", service.NAME, "-n", namespace, "--ignore-not-found", "--wait")
    kube("delete", *words)
    ground = Ground(kube, namespace, models.prepare(kube, namespace), stable)
    settle(ground, seconds=600)
    # A gateway says that it took a new route a moment before it knows it: asks until it does.
    gateway.ask(kube, service.HOST, service.NAME, ground.questions[0][0])
    return ground


def settle(ground: Ground, seconds: float = 300.0) -> Object:
    """The service as it is to be before a try: it serves what is stable, and nothing is on its
    way. RoadError when that does not come."""
    ground.ask_for(ground.stable, {})
    until = time.monotonic() + seconds
    while True:
        item = ground.get()
        if ground.is_seen(item) and story.is_ready(item) and not item["status"].get("canary"):
            return item
        if time.monotonic() > until:
            raise road.RoadError(f"the service does not settle: {story.describe(item)}")
        time.sleep(_SETTLE_SECONDS)


def run(ground: Ground, wanted: Try) -> Course:
    """The whole try. Writes NAME.png and NAME.json to ``output()``, also where it fails."""
    before = settle(ground)
    load = Load(_plan(ground, wanted)) if wanted.rate else None
    end: End | None = None
    kubeconfig = ground.kube.environment["KUBECONFIG"]
    with Watcher(kubeconfig, ground.namespace, service.NAME) as watcher:
        try:
            if load:
                load.start()
                time.sleep(_BEFORE_SECONDS)
            watcher.timeline.mark(f"asks for {wanted.candidate.name}")
            ground.ask_for(wanted.candidate, wanted.canary, wanted.gates)
            end = _follow(ground, wanted, before, watcher)
            time.sleep(_AFTER_SECONDS if load else 0)
        finally:
            records = load.stop() if load else Records()
            course = Course(wanted.candidate.name, end, ground.get(), records, watcher.timeline)
            _write(wanted.name, course)
            _tell_of_lost(ground, course)
    if end == "Promoted":
        ground.took_over()
    return course


def _follow(ground: Ground, wanted: Try, before: Object, watcher: Watcher) -> End | None:
    until = time.monotonic() + wanted.seconds
    ended: float | None = None
    while time.monotonic() < until:
        item = watcher.latest
        end = service.end_of(before, item) if ground.is_seen(item) else None
        ended = (ended or time.monotonic()) if end else None
        if ended and time.monotonic() - ended >= _HOLDS_SECONDS:
            watcher.timeline.mark(str(end))
            return end
        if item:
            wanted.each(item, watcher.timeline)
        time.sleep(_LOOK_SECONDS)
    return None


def _plan(ground: Ground, wanted: Try) -> Plan:
    return Plan(
        url=gateway.address(ground.kube),
        host=service.HOST,
        model=service.NAME,
        questions=ground.questions,
        system=models.SYSTEM,
        rate=wanted.rate,
        seconds=_BEFORE_SECONDS + wanted.seconds + _AFTER_SECONDS,
    )


def _write(name: str, course: Course) -> None:
    folder = output()
    message = course.ready.get("message", "")
    title = textwrap.shorten(f"{name}: {course.end or 'not over'}. {message}", _TITLE)
    drawing = picture.drawing(course.timeline, course.records)
    picture.save(drawing, title, folder / f"{name}.png")
    (folder / f"{name}.json").write_text(json.dumps(_as_json(course), indent=1) + "\n")
    back = [f"went back in {course.going_back}"] if course.going_back else []
    print("\n".join([f"{name}: {course.end}: {message}", *summary.lines(course.summary), *back]))


def _tell_of_lost(ground: Ground, course: Course) -> None:
    """What was written when requests were lost for which the candidate is not to blame."""
    if lost := course.lost_without(course.name):
        print("\n".join(said.about(ground.kube, ground.namespace, lost)))


def _as_json(course: Course) -> Object:
    return {
        "end": course.end,
        "ready": course.ready,
        "summary": asdict(course.summary),
        "goingBack": asdict(course.going_back) if course.going_back else None,
        "timeline": asdict(course.timeline),
        "records": [asdict(record) for record in course.records.all],
        "skipped": course.records.skipped,
    }
