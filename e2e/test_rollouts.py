"""Rollouts under real requests: what takes over, what goes back, and that users hardly notice.

Each test brings one candidate beside the version that serves, and leaves a picture and all records
in MARTLET_E2E_OUTPUT (`.cluster/rollouts`). Those marked ``long`` run by `make soak`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cluster.settings import Settings
from demo import road
from demo.kube import Kube, Object
from rollouts import acts, faults, models, outages, scenario, service
from rollouts.bystander import bystander
from rollouts.prometheus import panels, scraping
from rollouts.scenario import Course, Ground, Try
from rollouts.service import Version

pytestmark = pytest.mark.cluster

ERRORS = {"metric": "ErrorRate", "tolerance": 1.5, "margin": 0.2}
FIRST_TOKEN = {"metric": "TimeToFirstToken", "tolerance": 2}
"""Wide, since a step has some tens of requests: by simulation a canary without an error passes the
first after 35 s (45 in 19 of 20 cases), and one that fails half of its requests goes after 25."""

CANARY = {
    "steps": [
        {"weight": 25, "minDuration": "20s", "minRequests": 10},
        {"weight": 50, "minDuration": "20s", "minRequests": 20},
    ],
    "guards": [ERRORS],
    "warmUp": "5s",
    "bakeTime": "10s",
    "maxDuration": "10m",
}
WEIGHTS = [0, 25, 50, 100]
GATE = "rollout-gate"
EMPTY = {"Rejected revisions, by why"}
"""Panels that a rollout without a failure leaves empty."""
ANSWERED = "Requests answered, a second"


@pytest.fixture(scope="module")
def image(kube: Kube, settings: Settings) -> str:
    return faults.prepare(settings)


@pytest.fixture(scope="module")
def ground(kube: Kube, image: str) -> Iterator[Ground]:
    """A service in the quickstart's namespace that serves the base model."""
    yield scenario.begin(kube, Version("first"))
    kube("delete", "inferenceservice", service.NAME, "-n", road.NAMESPACE, "--wait")
    kube("delete", "evalrun", GATE, "-n", road.NAMESPACE, "--ignore-not-found", "--wait")


def other(ground: Ground) -> str:
    """A model under another digest than the one that serves."""
    return models.NEXT if ground.stable.model == models.BASE else models.BASE


def failing(ground: Ground, image: str, name: str, args: list[str]) -> Version:
    """What serves, but for a fault."""
    return replace(ground.stable, name=name, args=tuple(args), image=image)


def check_nothing_lost(course: Course) -> None:
    assert course.records.lost == []
    assert course.records.skipped == 0
    assert len(course.records.all) > 100


def check_gone_back(course: Course, name: str, reason: str) -> None:
    """Nobody but those who met the candidate lost anything, and nothing of it is left."""
    assert course.end == "RolledBack", course.ready
    assert course.service["status"]["rejected"][0]["reason"] == reason, course.ready
    assert course.lost_without(name) == []
    assert course.weights(name)[-1] == 0


def test_a_healthy_canary_takes_over_and_no_request_is_lost(
    ground: Ground, kube: Kube, settings: Settings
) -> None:
    """Though the operator is killed in every state; and the dashboard shows it."""
    before, candidate = ground.stable, Version("healthy", model=other(ground))
    kill = acts.KillOperator(kube, frozenset({"Loading", "Stepping", "Baking"}))
    folder, begin = scenario.output() / "prometheus", time.time()
    with scraping(settings, kube, folder) as prometheus:
        course = scenario.run(ground, Try("healthy", candidate, CANARY, each=kill))
        shown = {t: prometheus.series(q, begin, time.time()) for t, q in panels().items()}
        unhealthy = [rule for rule in prometheus.rules() if rule["health"] != "ok"]
    assert course.end == "Promoted", course.ready
    assert kill.killed_in == kill.states
    assert course.weights("healthy") == WEIGHTS
    check_nothing_lost(course)
    assert set(course.summary.by_revision) == {before.name, "healthy"}
    assert course.summary.wrong == 0
    assert {title for title, series in shown.items() if not series} <= EMPTY
    assert len({series["metric"]["revision"] for series in shown[ANSWERED]}) > 1
    assert unhealthy == []


def test_an_engine_that_dies_under_load_goes_back(ground: Ground, image: str) -> None:
    candidate = failing(ground, image, "dying", faults.dies(after=8))
    course = scenario.run(ground, Try("dying", candidate, CANARY))
    check_gone_back(course, "dying", "CrashLoop")
    assert 1 <= len(course.records.lost) <= 10, course.summary.errors


def test_errors_go_back_by_their_guard(ground: Ground, image: str) -> None:
    candidate = failing(ground, image, "erring", faults.errors(50, after=4))
    course = scenario.run(ground, Try("erring", candidate, CANARY))
    check_gone_back(course, "erring", "GuardFailed")
    assert set(course.summary.errors) == {"HTTP 500"}


@pytest.mark.long
def test_a_slow_first_token_goes_back_by_its_guard(ground: Ground, image: str) -> None:
    canary = {**CANARY, "guards": [ERRORS, FIRST_TOKEN]}
    candidate = failing(ground, image, "slow", faults.slow(1500, after=2))
    course = scenario.run(ground, Try("slow", candidate, canary))
    check_gone_back(course, "slow", "GuardFailed")
    check_nothing_lost(course)


@pytest.mark.long
def test_one_with_too_little_cpu_goes_back_by_its_guard(ground: Ground) -> None:
    """It is less than twice as slow, which the wide guard of the others tolerates."""
    canary = {**CANARY, "guards": [ERRORS, {**FIRST_TOKEN, "tolerance": 1.2}]}
    candidate = replace(ground.stable, name="throttled", cpu="300m")
    course = scenario.run(ground, Try("throttled", candidate, canary))
    check_gone_back(course, "throttled", "GuardFailed")
    check_nothing_lost(course)


@pytest.mark.long
def test_a_spec_put_back_takes_the_canary_back(ground: Ground) -> None:
    stable = ground.stable
    before = ground.get()["status"].get("rejected")
    back = acts.When(acts.in_first_step, lambda: ground.ask_for(stable, CANARY), "spec put back")
    candidate = replace(stable, name="unwanted")
    course = scenario.run(ground, Try("put-back", candidate, CANARY, each=back))
    assert course.end == "Withdrawn", course.ready
    assert course.weights("unwanted") == [0, 25, 0]
    assert course.service["status"].get("rejected") == before, "nothing was wrong with it"
    check_nothing_lost(course)


@pytest.mark.long
def test_without_requests_nothing_is_decided_until_one_says_so(ground: Ground) -> None:
    """Held over maxDuration; then rolled back, by another onInconclusive and without a new load."""
    hold = {**CANARY, "maxDuration": "60s", "onInconclusive": "Hold"}
    candidate = replace(ground.stable, name="unknown")
    decide = acts.When(
        lambda item: acts.in_first_step(item, 10) and acts.age_of_rollout(item) > 70,
        lambda: ground.ask_for(candidate, {**hold, "onInconclusive": "Rollback"}),
        "onInconclusive: Rollback",
    )
    course = scenario.run(ground, Try("no-traffic", candidate, hold, rate=0, each=decide))
    assert decide.seen["weight"] == 25, course.ready
    check_gone_back(course, "unknown", "Inconclusive")
    assert course.weights("unknown") == [0, 25, 0]


@pytest.mark.long
def test_an_engine_that_cannot_start_never_has_a_request(ground: Ground) -> None:
    candidate = replace(ground.stable, name="broken", args=("--tokenizer", "/nowhere"))
    course = scenario.run(ground, Try("broken", candidate, CANARY))
    check_gone_back(course, "broken", "CrashLoop")
    assert course.weights("broken") == [0]
    check_nothing_lost(course)


@pytest.mark.long
def test_a_newer_revision_takes_the_place_of_a_canary(ground: Ground) -> None:
    older = replace(ground.stable, name="older")
    newer = Version("newer", model=other(ground))
    change = acts.When(acts.in_first_step, lambda: ground.ask_for(newer, CANARY), "newer")
    course = scenario.run(ground, Try("newer", older, CANARY, each=change))
    assert course.end == "Promoted", course.ready
    assert ground.stable == newer
    assert course.weights("older") == [0, 25, 0]
    assert course.weights("newer") == WEIGHTS
    check_nothing_lost(course)


@pytest.mark.long
def test_a_canary_goes_back_though_the_operator_is_killed_meanwhile(
    ground: Ground, image: str, kube: Kube
) -> None:
    candidate = failing(ground, image, "erring-alone", faults.errors(100, after=4))
    kill = acts.KillOperator(kube, frozenset({"Stepping", "RollingBack"}))
    course = scenario.run(ground, Try("erring-alone", candidate, CANARY, each=kill))
    check_gone_back(course, "erring-alone", "GuardFailed")
    assert "Stepping" in kill.killed_in


@pytest.mark.long
def test_a_damaged_model_is_stopped_by_its_gate(ground: Ground, kube: Kube) -> None:
    """It is as fast as the one that serves and answers without an error: no guard would tell."""
    kube.apply(json.dumps(gate(models.DAMAGED)))
    candidate = replace(ground.stable, name="damaged", model=models.DAMAGED)
    course = scenario.run(ground, Try("damaged", candidate, CANARY, gates=(GATE,)))
    assert course.end == "Refused", course.ready
    assert course.ready["reason"] == "GateNotPassed"
    assert course.weights("damaged") == [0]
    check_nothing_lost(course)
    assert course.summary.wrong == 0


@pytest.mark.long
def test_a_damaged_model_goes_back_by_its_answers(ground: Ground) -> None:
    """Without a gate; none of the guards over users' requests would tell."""
    quality = {"metric": "Quality", "tolerance": 1.5, "margin": 0.1}
    canary = {**CANARY, "guards": [ERRORS, quality], "probe": probe(ground)}
    candidate = replace(ground.stable, name="wrong", model=models.DAMAGED)
    course = scenario.run(ground, Try("wrong", candidate, canary, rate=2))
    check_gone_back(course, "wrong", "GuardFailed")
    assert "Quality: " in course.ready["message"]
    check_nothing_lost(course)
    assert course.summary.wrong > 0, "users got wrong answers, as fast as right ones"


def probe(ground: Ground) -> Object:
    """Questions that the base model can answer, one a second to each revision."""
    prompts = [
        {
            "messages": [
                {"role": "system", "content": models.SYSTEM},
                {"role": "user", "content": question},
            ],
            "expect": {"regex": answer},
        }
        for question, answer in ground.questions[:16]
    ]
    return {"prompts": prompts, "every": "1s", "maxTokens": 16}


def gate(uri: str) -> Object:
    """Whether a model expects the village's stories, as the base model does."""
    suite = {
        "name": "stories",
        "benchmark": "perplexity",
        "dataset": {"uri": "pvc://data/stories.txt"},
        "thresholds": [{"metric": "perplexity", "max": 10}],
    }
    return {
        "apiVersion": "martlet.dev/v1alpha1",
        "kind": "EvalRun",
        "metadata": {"name": GATE, "namespace": road.NAMESPACE},
        "spec": {"model": {"uri": uri}, "suites": [suite]},
    }


@pytest.mark.long
def test_a_canary_that_cannot_be_watched_is_neither_trusted_nor_blamed(
    ground: Ground, image: str
) -> None:
    stable = ground.stable
    candidate = failing(ground, image, "hidden", faults.hides_metrics())
    back = acts.When(
        lambda item: acts.in_first_step(item, 60),
        lambda: ground.ask_for(stable, CANARY),
        "spec put back",
    )
    course = scenario.run(ground, Try("hidden", candidate, CANARY, each=back))
    assert back.seen["weight"] == 25, course.ready
    assert back.seen["evidence"][0]["verdict"] == "NoData"
    assert course.end == "Withdrawn", course.ready
    check_nothing_lost(course)


@pytest.mark.long
def test_what_both_suffer_is_not_held_against_the_canary(ground: Ground, image: str) -> None:
    """The version that serves fails too: a fifth of its requests, as of the canary's."""
    before = ground.stable
    sick = failing(ground, image, "sick", faults.errors(20, after=0))
    course = scenario.run(ground, Try("sick", sick, {}))
    assert course.end == "Promoted", course.ready
    candidate = replace(sick, name="as-sick")
    course = scenario.run(ground, Try("as-sick", candidate, CANARY))
    assert course.end == "Promoted", course.ready
    assert course.weights("as-sick") == WEIGHTS
    assert set(course.summary.errors) == {"HTTP 500"}
    course = scenario.run(ground, Try("well", before, {}))
    assert course.end == "Promoted", course.ready


@pytest.mark.long
def test_a_minute_without_the_api_server_fails_no_canary(
    ground: Ground, settings: Settings
) -> None:
    """While it is away nothing is lost. Once it is back, Kubernetes takes the only node for gone
    until it has been heard of, and all pods on it for not ready: for some seconds nobody serves."""
    away = acts.When(
        acts.in_first_step,
        lambda: outages.without_api_server(settings, 60),
        "API server away for 60 s",
    )
    candidate = Version("patient", model=other(ground))
    course = scenario.run(ground, Try("api-server", candidate, CANARY, each=away))
    assert away.seen
    assert course.end == "Promoted", course.ready
    (left,) = [mark.at for mark in course.timeline.marks if mark.text.startswith("API server")]
    back = left + 60
    assert [r for r in course.records.lost if not back <= r.started < back + 10] == []
    assert set(course.summary.errors) <= {"HTTP 503"}
    assert len([r for r in course.records.all if left < r.started < back]) > 100


@pytest.mark.long
def test_a_gateway_that_is_restarted_fails_no_canary(ground: Ground, settings: Settings) -> None:
    restart = acts.When(
        acts.in_first_step, lambda: outages.restart_gateway(settings), "gateway restarted"
    )
    candidate = Version("gateway", model=other(ground))
    course = scenario.run(ground, Try("gateway", candidate, CANARY, each=restart))
    assert course.end == "Promoted", course.ready
    assert course.weights("gateway") == WEIGHTS
    (restarted,) = [mark.at for mark in course.timeline.marks if mark.text == "gateway restarted"]
    late = [r for r in course.records.lost if not -2 < r.started - restarted < 20]
    assert late == [], "only while there was no gateway"


@pytest.mark.long
def test_a_service_beside_it_does_not_notice(ground: Ground, image: str) -> None:
    candidate = failing(ground, image, "erring-beside", faults.errors(100, after=4))
    with bystander(ground) as beside:
        before = beside.objects()
        course = scenario.run(ground, Try("erring-beside", candidate, CANARY))
        after = beside.objects()
    check_gone_back(course, "erring-beside", "GuardFailed")
    assert after == before
    assert beside.records.lost == []
    assert len(beside.records.all) > 20


@pytest.mark.long
@pytest.mark.parametrize("turn", range(20))
def test_one_after_another_takes_over_at_twice_the_rate(ground: Ground, turn: int) -> None:
    name = f"turn-{turn}"
    course = scenario.run(ground, Try(name, Version(name, model=other(ground)), CANARY, rate=12))
    assert course.end == "Promoted", course.ready
    check_nothing_lost(course)
