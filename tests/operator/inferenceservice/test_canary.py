"""A canary as a whole: what is written to the cluster and kept in the status, pass after pass."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from operator_builders import (
    NOW,
    RUNNING,
    after,
    condition,
    container_status,
    decide,
    desired,
    digest,
    ended,
    from_,
    pod,
    ready,
    resource,
    with_artifact,
)

from martlet_operator.naming import owned_labels
from martlet_operator.reconcile.decision import Decision, pruned

Object = dict[str, Any]
CANARY = {
    "steps": [{"weight": 10, "minDuration": "1m"}, {"weight": 50, "minDuration": "1m"}],
    "bakeTime": "5m",
}
ENDPOINT = {"gateway": {"name": "gw"}, "hostnames": ["a.example.com"]}


def model(text: str) -> Object:
    return with_artifact("FineTuneJob", "tune", text)


class World:
    """A service with the objects that were applied for it, and a gateway that takes its route."""

    def __init__(self, **spec: Any) -> None:
        given = {"canary": CANARY, "endpoint": ENDPOINT, "replicas": 4, **spec}
        self.live = resource(
            "InferenceService", "chat", model=from_("FineTuneJob", "tune"), **given
        )
        self.objects: dict[tuple[str, str], Object] = {}
        self.pods: list[Object] = []
        self.now: datetime = NOW
        self.broken: set[str] = set()
        self.gate: Object | None = None

    def turn(self, text: str, seconds: float = 5, **spec: Any) -> Decision:
        self.now += timedelta(seconds=seconds)
        self.live["spec"] = {**self.live["spec"], **spec}
        others = [model(text), *([self.gate] if self.gate else [])]
        decision = decide(
            self.live, others, owned=list(self.objects.values()), pods=self.pods, now=self.now
        )
        for item in pruned(decision, list(self.objects.values())):
            del self.objects[(item["kind"], item["metadata"]["name"])]
        for item in decision.desired:
            self._apply(item)
        for name, count in decision.replicas.items():
            self._apply({**self.objects[("Deployment", name)], "replicas": count})
        self.live = after(self.live, decision)
        return decision

    def _apply(self, item: Object) -> None:
        """Ready and taken at once, unless it is broken."""
        name = item["metadata"]["name"]
        if item["kind"] == "Deployment":
            count = item.get("replicas", item["spec"]["replicas"])
            ready_now = 0 if name in self.broken else count
            item = {**item, "spec": {**item["spec"], "replicas": count}}
            item["status"] = {"readyReplicas": ready_now}
        if item["kind"] == "HTTPRoute":
            accepted = {"type": "Accepted", "status": "True", "observedGeneration": 1}
            item = {**item, "metadata": {**item["metadata"], "generation": 1}}
            item["status"] = {"parents": [{"conditions": [accepted]}]}
        self.objects[(item["kind"], name)] = item

    def settle(self, text: str, passes: int = 12, **spec: Any) -> Decision:
        return [self.turn(text, **spec) for _ in range(passes)][-1]

    @property
    def weights(self) -> dict[str, int]:
        rule = self.objects[("HTTPRoute", "chat")]["spec"]["rules"][0]
        return {ref["name"]: ref["weight"] for ref in rule["backendRefs"] if ref["weight"]}

    @property
    def replicas(self) -> dict[str, int]:
        found = (o for o in self.objects.values() if o["kind"] == "Deployment")
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in found}


def served(**spec: Any) -> tuple[World, str]:
    world = World(**spec)
    decision = world.settle("one")
    assert ready(decision)[1] == "Serving"
    return world, decision.status.stable.revision


def test_a_rollout_by_its_weights_and_pods() -> None:
    world, old = served()
    seen: list[Any] = []
    new = world.turn("two").status.canary.revision
    for _ in range(100):
        decision = world.turn("two")
        told = (world.weights.get(new, 0), world.replicas.get(new), ready(decision)[1])
        if not seen or seen[-1] != told:
            seen.append(told)
    assert seen == [
        (10, 1, "CanaryStep"),
        (10, 2, "CanaryStep"),
        (50, 2, "CanaryStep"),
        (50, 4, "Loading"),
        (100, 4, "Loading"),
        (100, 4, "Baking"),
        (100, 4, "Serving"),
    ]
    assert old not in world.replicas
    assert decision.status.stable.digest == digest("two")


def test_the_story_is_told_in_the_status() -> None:
    world, _ = served()
    world.turn("two")
    for _ in range(3):
        decision = world.turn("two")
    assert decision.status.phase == "Canary"
    since = datetime.fromisoformat(decision.status.canary.since)
    until = f"{since + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    text = f"Step 1 of 2: 10 % of requests, until {until} at least."
    assert ready(decision) == ("Unknown", "CanaryStep", text)
    told = decision.status
    assert (told.canary.weight, told.canary.step, told.stable.weight) == (10, 1, 90)


def test_nothing_is_written_while_nothing_happens() -> None:
    """A status that told the seconds that are left would be written each second."""
    world, _ = served(canary={**CANARY, "steps": [{"weight": 10, "minRequests": 5}]})
    world.settle("two", 5)
    assert world.turn("two").status == world.turn("two", 1).status


def test_a_rollout_that_is_held_beyond_its_time_says_so() -> None:
    held = {"steps": [{"weight": 10, "minRequests": 5}], "maxDuration": "10m"}
    world, _ = served(canary={**CANARY, **held})
    for _ in range(3):
        early = world.turn("two")
    assert ready(early)[2].endswith("5 more requests needed.")
    late = ready(world.turn("two", 600))
    assert late[1] == "CanaryStep"
    assert "It is over maxDuration and held by onInconclusive: Hold." in late[2]


def exposed(world: World, text: str = "two") -> str:
    """The new revision once it has requests."""
    decision = world.settle(text, 3)
    assert world.weights[decision.status.canary.revision] == 10
    return str(decision.status.canary.revision)


def test_a_canary_that_dies_goes_back_and_stays_away_with_its_model() -> None:
    world, old = served()
    new = exposed(world)
    world.pods = [dead(new)]
    decision = world.turn("two")
    assert ready(decision)[1] == "RollingBack"
    assert world.weights == {old: 100}
    assert new in world.replicas, "its requests end first"
    decision = world.turn("two")
    assert ready(decision)[1] == "RolledBack"
    assert decision.status.phase == "RolledBack"
    assert "(OutOfMemory)" in ready(decision)[2]
    assert world.replicas == {old: 4}
    world.pods = []
    changed = world.settle("two", engine={"maxModelLen": 64})
    assert (ready(changed)[1], world.weights) == ("RolledBack", {old: 100})
    assert ready(world.settle("one", engine={}))[1] == "Serving"
    again = world.settle("two", 3, retry="mended")
    assert world.weights[again.status.canary.revision] == 10


def dead(revision: str) -> Object:
    marks = owned_labels("InferenceService", "chat", revision=revision)
    status = container_status("engine", RUNNING, lastState=ended(137, reason="OOMKilled"))
    return pod(marks, containers=[{**status, "restartCount": 1}])


def test_the_spec_put_back_in_the_middle_withdraws_it() -> None:
    world, old = served()
    new = exposed(world)
    decision = world.settle("one", 3)
    assert (ready(decision)[1], world.weights, world.replicas) == ("Serving", {old: 100}, {old: 4})
    assert decision.status.rejected is None
    assert exposed(world) == new, "it may come again"


def test_a_newer_revision_in_the_middle_takes_its_place() -> None:
    world, old = served()
    first = exposed(world)
    third = world.turn("three")
    assert third.status.canary.revision == first
    assert world.weights == {old: 100}
    between = [world.turn("three") for _ in range(3)]
    assert {ready(decision)[0] for decision in between} == {"Unknown"}, "what is asked for is not"
    assert first not in world.replicas
    decision = world.settle("three", 100)
    assert decision.status.stable.digest == digest("three")


def test_a_gate_that_closes_in_the_middle() -> None:
    world, old = served()
    exposed(world)
    gate = {"gates": [{"evalRun": "gate"}]}
    world.gate = resource(
        "EvalRun", "gate", status={"conditions": [condition("Unknown", "Evaluating")]}
    )
    waiting = world.settle("two", 40, **gate)
    assert ready(waiting)[1] == "WaitingForGate"
    assert world.weights[waiting.status.canary.revision] == 10, "it stands where it stood"
    verdict = {"passed": False, "modelDigest": digest("two"), "at": "2026-01-01T00:00:00Z"}
    world.gate = resource("EvalRun", "gate", status={"verdict": verdict})
    shut = world.settle("two", 3)
    assert (ready(shut)[1], world.weights) == ("GateNotPassed", {old: 100})


def test_scaling_in_the_middle_scales_both() -> None:
    world, old = served()
    new = exposed(world)
    world.turn("two", replicas=20)
    assert world.replicas == {old: 20, new: 2}


def test_rules_of_others_stay_in_the_route() -> None:
    world, _ = served()
    route = world.objects[("HTTPRoute", "chat")]
    other = {"matches": [], "backendRefs": [{"name": "docs", "port": 80}]}
    route["spec"] = {**route["spec"], "rules": [*route["spec"]["rules"], other]}
    exposed(world)
    assert world.objects[("HTTPRoute", "chat")]["spec"]["rules"][1] == other


def test_no_replicas_end_a_rollout() -> None:
    world, _ = served()
    exposed(world)
    decision = world.settle("two", 3, replicas=0)
    assert ready(decision)[1] == "ScaledToZero"
    assert decision.status.stable.digest == digest("two")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two", "three"]),
            st.sampled_from(["", "", "", "retry"]),
            st.booleans(),
            st.integers(1, 90),
        ),
        min_size=5,
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None)
def test_a_digest_that_was_rolled_back_stays_away(
    history: list[tuple[str, str, bool, int]],
) -> None:
    """Without a new retry; and weights always sum to 100 and reach what lives."""
    world, _ = served()
    for text, retry, dies, seconds in history:
        canary = (world.live["status"].get("canary") or {}).get("revision")
        world.pods = [dead(canary)] if dies and canary else []
        decision = world.turn(text, seconds, retry=retry)
        assert sum(world.weights.values()) == 100
        assert set(world.weights) <= set(world.replicas)
        assert desired(decision, "InferenceService") == []
        stable, found = decision.status.stable.digest, decision.status.canary
        for entry in decision.status.rejected or []:
            if found and entry.pins == "Digest" and entry.retry == retry and found.weight:
                assert entry.digest != found.digest or found.digest == stable
