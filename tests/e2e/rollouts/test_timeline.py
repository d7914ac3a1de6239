from __future__ import annotations

from typing import Any

import pytest
from rollout_builders import BEGIN, Object, route, service

from rollouts.timeline import Timeline, route_of, status_of


def http_route(generation: int, observed: int, status: str = "True") -> Object:
    refs = [{"name": "r-blue", "weight": 80}, {"name": "r-green", "weight": 20}]
    condition = {"type": "Accepted", "status": status, "observedGeneration": observed}
    return {
        "metadata": {"generation": generation},
        "spec": {"rules": [{"backendRefs": refs}, {"backendRefs": [{"name": "other"}]}]},
        "status": {"parents": [{"conditions": [condition]}]},
    }


def test_a_status_is_read_with_its_canary_and_the_newest_rejection() -> None:
    canary = {"revision": "r-green", "state": "Stepping", "step": 2}
    rejected = [{"revision": "r-red"}, {"revision": "r-older"}]
    found = status_of(service(canary=canary, rejected=rejected, reason="CanaryStep"), BEGIN)
    assert (found.stable, found.canary, found.state, found.step) == (
        "r-blue",
        "r-green",
        "Stepping",
        2,
    )
    assert (found.rejected, found.reason, found.message) == ("r-red", "CanaryStep", "CanaryStep.")


def test_a_service_that_nobody_looked_at_yet_has_an_empty_status() -> None:
    found = status_of({"metadata": {"generation": 1}}, BEGIN)
    assert (found.reason, found.stable, found.canary) == ("", None, None)


@pytest.mark.parametrize(
    ("generation", "observed", "status", "accepted"),
    [(3, 3, "True", True), (3, 2, "True", False), (3, 3, "False", False)],
    ids=["taken", "an older one taken", "refused"],
)
def test_a_route_is_accepted_as_it_is_now_alone(
    generation: int, observed: int, status: str, accepted: bool
) -> None:
    found = route_of(http_route(generation, observed, status), BEGIN)
    assert found.weights == {"r-blue": 80, "r-green": 20}
    assert found.accepted == accepted


def test_only_changes_are_kept() -> None:
    """A watch that begins anew tells once more what is known."""
    timeline = Timeline()
    for at, item in enumerate([service(), service(), service(reason="Baking"), service()]):
        timeline.see_service(item, BEGIN + at)
    for at, observed in enumerate([1, 1, 2, 2]):
        timeline.see_route(http_route(2, observed), BEGIN + at)
    assert [s.at - BEGIN for s in timeline.statuses] == [0, 2, 3]
    assert [(r.at - BEGIN, r.accepted) for r in timeline.routes] == [(0, False), (2, True)]


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (["--port", "8080", "--fingerprint-value", "green"], {"r-green": "green"}),
        (["--port", "8080"], {}),
    ],
)
def test_a_deployments_arguments_name_its_revision(args: list[str], names: dict[str, str]) -> None:
    timeline = Timeline()
    containers: list[Any] = [{"name": "engine", "args": args}]
    template = {"spec": {"containers": containers}}
    timeline.see_deployment({"metadata": {"name": "r-green"}, "spec": {"template": template}}, 0.0)
    assert timeline.names == names


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        (0, 8, False),
        (9.5, 9.8, True),
        (5, 15, True),
        (12, 13, True),
        (22.5, 23, True),
        (23.5, 30, False),
    ],
    ids=["before", "a second early", "across", "within", "seconds late", "after"],
)
def test_a_revision_had_requests_while_the_gateway_had_a_weight_for_it(
    begin: float, end: float, found: bool
) -> None:
    timeline = Timeline(
        routes=[route(0, 100, 0), route(8, 80, 20, accepted=False), route(10, 80, 20)],
        names={"r-green": "green"},
    )
    timeline.routes.append(route(20, 100, 0))
    assert timeline.weights_of("green") == [(BEGIN, 0), (BEGIN + 10, 20), (BEGIN + 20, 0)]
    assert timeline.had_requests("green", BEGIN + begin, BEGIN + end) is found


def test_a_revision_that_still_has_its_weight_has_requests() -> None:
    timeline = Timeline(routes=[route(10, 0, 100)], names={"r-green": "green"})
    assert timeline.had_requests("green", BEGIN + 500, BEGIN + 501)
    assert not timeline.had_requests("red", BEGIN + 500, BEGIN + 501)
    assert not Timeline().had_requests("green", BEGIN, BEGIN + 1)
