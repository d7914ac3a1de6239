"""Where a rollout can be, and what must hold wherever it is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_api.canary import Canary, CanaryStep
from martlet_api.conditions import Reason
from martlet_operator.conditions.fold import Ready
from martlet_operator.inferenceservice.rollout.machine import (
    PULL_SECONDS,
    UNREADY_SECONDS,
    advance,
)
from martlet_operator.inferenceservice.rollout.shares import pods_of, weights
from martlet_operator.inferenceservice.rollout.state import (
    Candidate,
    Failure,
    Rollout,
    Seen,
    State,
    Turn,
)

START = datetime(2026, 1, 2, tzinfo=UTC)
STEPS = [CanaryStep(weight=10, min_requests=100), CanaryStep(weight=50, min_duration="1m")]
CANARY = Canary(steps=STEPS, bake_time="10m")
NEW, OLD, OTHER = "chat-new", "chat-old", "chat-other"
REPLICAS = 4
PASS = {"ErrorRate": ("Pass", "ErrorRate passes.")}
CRASHED = Failure(Reason.CRASH_LOOP, "The engine died.")
HELD = Ready("Unknown", Reason.WAITING_FOR_GATE, "Waits.")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def rollout(state: State = "Loading", **parts: Any) -> Rollout:
    told = {"revision": NEW, "digest": "d", "stable": OLD, "started_at": START, **parts}
    return Rollout(**told, state=state, exposed_at=START if told.get("weight") else None)


def seen(
    of: Rollout | None = None, *, new: int = REPLICAS, old: int = REPLICAS, **parts: Any
) -> Seen:
    """All is well, and the gateway has taken what ``of`` asks for."""
    told = {
        "wanted": Candidate(NEW, "d"),
        "ready": {NEW: new, OLD: old},
        "taken": weights(of) if of else None,
        "verdicts": PASS,
        **parts,
    }
    return Seen(**told)


def turn(of: Rollout, what: Seen, seconds: float = 0, spec: Canary | None = CANARY) -> Turn:
    return advance(spec, REPLICAS, of, what, at(seconds))


def step(number: int = 0, **parts: Any) -> Rollout:
    return rollout("Stepping", step=number, weight=STEPS[number].weight, **parts)


def test_the_first_step_waits_for_its_share_of_the_pods() -> None:
    assert pods_of(10, REPLICAS) == 1
    waiting = turn(rollout(), seen(new=0)).rollout
    assert waiting == rollout()
    first = turn(rollout(), seen(new=1)).rollout
    assert first is not None
    assert (first.state, first.step, first.weight, first.since) == ("Stepping", 0, 10, None)


def test_time_and_requests_count_from_when_the_gateway_has_the_weight() -> None:
    asked = step()
    not_taken = turn(asked, seen(None, requests=50), 30).rollout
    assert not_taken == asked
    taken = turn(asked, seen(asked, requests=50), 40).rollout
    assert taken == replace(asked, since=at(40))
    counted = turn(taken, seen(asked, requests=60), 50).rollout
    assert counted == replace(taken, requests=60)


@pytest.mark.parametrize(
    ("requests", "seconds", "verdict", "goes_on"),
    [
        (100, 300, "Pass", True),
        (99, 300, "Pass", False),
        (100, 299, "Pass", False),
        (100, 300, "Insufficient", False),
        (100, 300, "NoData", False),
        (100, 300, "ProviderError", False),
    ],
)
def test_a_step_ends_with_time_requests_and_all_guards(
    requests: int, seconds: float, verdict: str, goes_on: bool
) -> None:
    here = step(since=START, requests=requests)
    verdicts = {**PASS, "TimeToFirstToken": (verdict, "")}
    found = turn(here, seen(here, verdicts=verdicts), seconds).rollout
    assert found is not None
    assert (found.step == 1) == goes_on
    assert found.weight == (50 if goes_on else 10)


def test_the_next_weight_waits_for_more_pods() -> None:
    here = step(since=START, requests=100)
    found = turn(here, seen(here, new=1), 300).rollout
    assert found is not None
    assert (found.step, found.weight) == (1, 10)
    assert turn(found, seen(here, new=2), 310).rollout == replace(found, weight=50, since=None)


def test_all_requests_then_a_while_then_the_roles_change() -> None:
    here = step(1, since=START)
    promoting = turn(here, seen(here), 60).rollout
    assert promoting is not None
    assert (promoting.state, promoting.weight) == ("Promoting", 100)
    baking = turn(promoting, seen(promoting), 70).rollout
    assert baking is not None
    assert (baking.state, baking.since) == ("Baking", at(70))
    assert turn(baking, seen(baking), 669).rollout == baking
    assert turn(baking, seen(baking), 670) == Turn(None, "Promoted")


def test_without_a_canary_all_requests_change_at_once() -> None:
    promoting = turn(rollout(), seen(), spec=None).rollout
    assert promoting is not None
    assert (promoting.state, promoting.weight) == ("Promoting", 100)
    baking = turn(promoting, seen(promoting), 1, spec=None).rollout
    assert turn(baking, seen(baking), 1, spec=None) == Turn(None, "Promoted")


def test_the_first_revision_has_nothing_to_be_compared_with() -> None:
    first = rollout(stable=None)
    assert turn(first, seen(new=REPLICAS - 1)).rollout == first
    assert turn(first, seen()) == Turn(None, "Promoted")
    assert turn(first, seen(held=HELD)).rollout == first
    assert turn(first, seen(trouble=CRASHED)) == Turn(None, "RolledBack", CRASHED)


EVERYWHERE = [
    rollout(),
    step(),
    step(1, since=START),
    rollout("Promoting", weight=50, step=2),
    rollout("Promoting", weight=100, step=2),
    rollout("Baking", weight=100, step=2, since=START),
]
FAILED = {"ErrorRate": ("Fail", "2.1 % against 0.5 %.")}


@pytest.mark.parametrize("here", EVERYWHERE, ids=lambda r: f"{r.state}-{r.weight}")
@pytest.mark.parametrize("held", [None, HELD])
@pytest.mark.parametrize(
    ("what", "reason", "ended"),
    [
        ({"trouble": CRASHED}, Reason.CRASH_LOOP, "RolledBack"),
        ({"barred": Failure(Reason.GATE_NOT_PASSED, "")}, Reason.GATE_NOT_PASSED, "RolledBack"),
        ({"verdicts": FAILED}, Reason.GUARD_FAILED, "RolledBack"),
        ({"wanted": Candidate(OTHER, "e")}, Reason.WITHDRAWN, "Withdrawn"),
        ({"wanted": Candidate(OLD, "c")}, Reason.WITHDRAWN, "Withdrawn"),
    ],
)
def test_rollback_is_reached_from_everywhere(
    here: Rollout, held: Ready | None, what: dict[str, Any], reason: Reason, ended: str
) -> None:
    """Requests are taken away at once, and the pods only after the gateway has taken that."""
    if here.weight:
        back = turn(here, seen(here, held=held, **what)).rollout
        assert back is not None
        assert (back.state, back.weight) == ("RollingBack", 0)
        assert back.failure is not None
        assert back.failure.reason == reason
        assert turn(back, seen(here)).rollout == back, "the gateway still has the former weights"
        assert turn(back, seen(None)).rollout == back
        assert turn(back, seen(back)).ended == ended
    else:
        assert turn(here, seen(here, held=held, **what)).ended == ended


def test_what_is_not_known_rolls_nothing_back() -> None:
    here = step(since=START, requests=100)
    for verdict in ("Insufficient", "NoData", "ProviderError"):
        what = seen(here, verdicts={"ErrorRate": (verdict, "")})
        assert turn(here, what, 3600 * 24).rollout == here


def test_at_max_duration_the_spec_decides() -> None:
    spec = CANARY.model_copy(update={"on_inconclusive": "Rollback"})
    here = step(since=START, requests=100)
    what = seen(here, verdicts={"ErrorRate": ("Insufficient", "3 requests are too few.")})
    assert turn(here, what, 7199, spec).rollout == here
    back = turn(here, what, 7200, spec).rollout
    assert back is not None
    assert back.failure == Failure(
        Reason.INCONCLUSIVE, "It was not decided within maxDuration (2h). 3 requests are too few."
    )
    baking = rollout("Baking", weight=100, step=2, since=at(7100))
    assert turn(baking, seen(baking), 7200, spec).rollout == baking


@pytest.mark.parametrize(
    "here", [h for h in EVERYWHERE if h.weight], ids=lambda r: f"{r.state}-{r.weight}"
)
def test_an_unready_canary_has_no_requests_and_fails_after_a_while(here: Rollout) -> None:
    away = turn(here, seen(here, new=0), 10).rollout
    assert away is not None
    assert (away.weight, away.unready_since, away.since) == (0, at(10), None)
    again = turn(away, seen(away), 20).rollout
    assert again is not None
    assert again.unready_since is None
    assert again.weight > 0
    assert again.since is None, "the step begins anew"
    late = turn(away, seen(away, new=0), 10 + UNREADY_SECONDS)
    assert late.ended == "RolledBack"
    assert late.failure is not None
    assert late.failure.reason == Reason.CANARY_UNREADY


def test_requests_are_not_sent_back_to_what_is_down() -> None:
    here = step(since=START)
    over = turn(here, seen(here, old=0)).rollout
    assert over is not None
    assert over.weight == 100
    back = turn(over, seen(over, old=0, verdicts=FAILED)).rollout
    assert back is not None
    assert (back.state, back.weight) == ("RollingBack", 100), "nothing else answers"
    up = turn(back, seen(back)).rollout
    assert up is not None
    assert up.weight == 0
    assert turn(rollout(), seen(old=0, new=1, held=HELD)).rollout == rollout(), "not admitted yet"


def test_fewer_steps_in_a_changed_spec() -> None:
    here = rollout("Stepping", step=5, weight=50, since=START)
    found = turn(here, seen(here)).rollout
    assert found is not None
    assert found.state == "Promoting"


READY = st.integers(0, REPLICAS)
VERDICT = st.sampled_from(["Pass", "Fail", "Insufficient", "NoData", "ProviderError"])
EVENTS = st.fixed_dictionaries(
    {
        "seconds": st.integers(0, 400),
        "new": READY,
        "old": READY,
        "verdict": VERDICT,
        "requests": st.integers(0, 200),
        "taken": st.sampled_from(["asked", "former", "not accepted"]),
        "wanted": st.sampled_from([NEW, NEW, NEW, NEW, OLD, OTHER, None]),
        "trouble": st.sampled_from([None] * 9 + [CRASHED]),
        "held": st.sampled_from([None, None, None, HELD]),
    }
)


def world(event: dict[str, Any], asked: Rollout, former: dict[str, int]) -> Seen:
    taken = {"asked": weights(asked), "former": former, "not accepted": None}[event["taken"]]
    wanted = event["wanted"] and Candidate(event["wanted"], "d")
    return Seen(
        wanted=wanted,
        ready={NEW: event["new"], OLD: event["old"]},
        taken=taken,
        trouble=event["trouble"],
        held=event["held"],
        requests=event["requests"],
        verdicts={"ErrorRate": (event["verdict"], "")},
    )


@given(st.lists(EVENTS, min_size=1, max_size=40))
@settings(max_examples=400, deadline=None)
def test_whatever_happens(events: list[dict[str, Any]]) -> None:
    here, now, former = rollout(), 0.0, {OLD: 100}
    for event in events:
        now += event["seconds"]
        what = world(event, here, former)
        former = weights(here)
        found = turn(here, what, now)
        check(here, what, found)
        if found.rollout is None:
            return
        here = found.rollout


def check(before: Rollout, what: Seen, found: Turn) -> None:
    ready = {name: what.ready.get(name, 0) for name in (NEW, OLD)}
    bad = what.trouble or what.verdicts["ErrorRate"][0] == "Fail"
    if found.rollout is None:
        assert found.ended is not None
        assert found.ended != "Promoted" or not bad
        assert before.weight == (100 if found.ended == "Promoted" else before.weight)
        return
    after = found.rollout
    shares = weights(after)
    assert sum(shares.values()) == 100
    assert min(shares.values()) >= 0
    assert after.weight == 0 or ready[NEW], "what is not ready has no requests"
    stable_down = shares[OLD] > 0 and not ready[OLD]
    assert not stable_down or not ready[NEW] or before.weight == 0, "nor has a stable one, if"
    if bad:
        assert after.state == "RollingBack"
    if before.state == "RollingBack":
        assert after.state == "RollingBack", "there is no way back but through its end"
    if after.weight > before.weight and ready[OLD]:
        assert after.state in ("Stepping", "Promoting", "Baking")
        assert after.weight in (10, 50, 100)
    if what.held and after.state != "RollingBack":
        assert (after.state, after.step) == (before.state, before.step)


@given(st.lists(st.integers(1, 60), min_size=150, max_size=150))
@settings(max_examples=50, deadline=None)
def test_a_healthy_canary_is_promoted(pauses: list[int]) -> None:
    here, now = rollout(), 0.0
    for pause in pauses:
        now += pause
        found = turn(here, seen(here, requests=50), now)
        if found.rollout is None:
            assert found == Turn(None, "Promoted")
            assert now >= 300 + 60 + 600
            return
        here = found.rollout
    assert now < 300 + 60 + 600 + 6 * 60, f"still {here} after {now} s"


@pytest.mark.parametrize(
    ("seconds", "parts", "goes_back"),
    [
        (PULL_SECONDS - 1, {}, False),
        (PULL_SECONDS, {}, True),
        (PULL_SECONDS, {"stable": None}, False),
    ],
)
def test_an_image_that_cannot_be_pulled_for_long(
    seconds: float, parts: dict[str, Any], goes_back: bool
) -> None:
    """A first revision has nothing to go back to, and waits."""
    missing = Failure(Reason.IMAGE_CANNOT_BE_PULLED, "No such image.")
    of = rollout(**parts)
    done = turn(of, seen(of, new=0, unpulled=missing), seconds)
    assert (done.failure == missing) is goes_back
