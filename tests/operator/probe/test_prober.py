"""Both revisions are asked, beside everything else, and counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from probe_engines import answers, engine

from martlet_api.probe import Probe
from martlet_operator.probe import prober as probing
from martlet_operator.probe.prober import Prober, judge_address
from martlet_operator.reconcile.queue import Key

Object = dict[str, Any]
KEY = Key("InferenceService", "team", "chat")
BARN = {"exact": "barn"}


def probe(expect: Object = BARN, **more: Any) -> Probe:
    prompt = {"messages": [{"role": "user", "content": "Where?"}], "expect": expect}
    return Probe.model_validate({"prompts": [prompt], "every": "1s", **more})


@pytest.fixture
async def prober(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Prober]:
    """One that waits a hundredth of what is asked."""
    monkeypatch.setattr(probing, "seconds", lambda _: 0.01)
    made = Prober()
    yield made
    made.forget(KEY)


async def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("it never became true")


def scored(prober: Prober, revision: str) -> int:
    return prober.tallies(KEY)[revision].scored


async def test_right_and_wrong_are_counted_by_revision(
    prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(answers("barn")) as (good, _), engine(answers("sea")) as (bad, _):
        _at(monkeypatch, {"old": good.port, "new": bad.port})
        prober.keep(KEY, probe(), {"new": ["new"], "old": ["old"]})
        await until(lambda: scored(prober, "new") >= 3 and scored(prober, "old") >= 3)
        found = prober.tallies(KEY)
    assert found["old"].wrong == 0
    assert found["new"].wrong == found["new"].scored


def _at(monkeypatch: pytest.MonkeyPatch, ports: dict[str, Any]) -> None:
    """Pods and services by name, each at a port of loopback."""
    asked = probing.ask

    async def at(session: Any, address: str, *rest: Any) -> str | None:
        name = address.removeprefix("http://").partition(":")[0].partition(".")[0]
        return await asked(session, f"http://127.0.0.1:{ports[name]}", *rest)

    monkeypatch.setattr(probing, "ask", at)


async def test_an_error_is_a_wrong_answer_and_nobody_is_none(
    prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(lambda _: web.Response(status=500)) as (server, _):
        _at(monkeypatch, {"new": server.port, "old": 1})
        prober.keep(KEY, probe(), {"new": ["new"], "old": ["old"]})
        await until(lambda: scored(prober, "new") >= 3)
        await until(lambda: prober.problem(KEY) is not None)
    assert prober.tallies(KEY)["new"].wrong == scored(prober, "new")
    assert scored(prober, "old") == 0


async def test_who_cannot_be_asked_is_told_while_the_other_answers(
    prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It answers after the other was found unreachable.
    async with engine(answers("barn"), seconds=0.05) as (server, _):
        ports = {"new": server.port, "old": 1}
        _at(monkeypatch, ports)
        prober.keep(KEY, probe(), {"new": ["new"], "old": ["old"]})
        await until(lambda: prober.problem(KEY) is not None)
        for more in range(2, 12):
            await until(lambda more=more: scored(prober, "new") >= more)
            assert prober.problem(KEY) is not None
        ports["old"] = server.port
        await until(lambda: prober.problem(KEY) is None)


@pytest.mark.parametrize(
    ("said", "wrong"), [("Yes.", False), ("no", True), ("I would rather not say", None)]
)
async def test_a_judge(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, said: str, wrong: bool | None
) -> None:
    asking = probe({"judge": "It is a building."}, judge={"service": "judge"})
    async with engine(answers("barn")) as (server, _), engine(answers(said)) as (judge, bodies):
        _at(monkeypatch, {"new": server.port, "judge": judge.port})
        prober.keep(KEY, asking, {"new": ["new"]})
        await until(lambda: len(bodies) >= 3)
        tally = prober.tallies(KEY)["new"]
        if wrong is None:
            await until(lambda: prober.problem(KEY) == "the judge said neither yes nor no")
            assert tally.scored == 0
        else:
            await until(lambda: tally.scored >= 2)
            assert tally.wrong == (tally.scored if wrong else 0)
    assert "It is a building." in bodies[0]["messages"][0]["content"]
    assert bodies[0]["model"] == "judge"


def test_a_judge_is_a_service_of_the_namespace() -> None:
    assert judge_address("judge", "team") == "http://judge.team.svc:8080"


async def test_a_slow_engine_does_not_hold_the_caller(
    prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(answers("barn"), seconds=30) as (server, bodies):
        _at(monkeypatch, {"new": server.port})
        prober.keep(KEY, probe(), {"new": ["new"]})
        await until(lambda: len(bodies) == 1)
        prober.keep(KEY, probe(), {"new": ["new"]})
        assert scored(prober, "new") == 0
        prober.forget(KEY)
        assert prober.tallies(KEY) == {}


async def test_another_probe_begins_to_count_anew(
    prober: Prober, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(answers("barn")) as (server, _):
        _at(monkeypatch, {"new": server.port})
        prober.keep(KEY, probe(), {"new": ["new"]})
        await until(lambda: scored(prober, "new") >= 2)
        prober.keep(KEY, probe({"exact": "sea"}), {"new": ["new"]})
        assert scored(prober, "new") == 0
        await until(lambda: prober.tallies(KEY)["new"].wrong >= 2)


async def test_a_task_that_broke_is_begun_anew(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with engine(answers("barn")) as (server, _):
        _at(monkeypatch, {})
        prober.keep(KEY, probe(), {"new": ["new"]})
        task = next(t for t in asyncio.all_tasks() if t.get_name() == "probe of chat")
        await until(task.done)
        monkeypatch.undo()
        monkeypatch.setattr(probing, "seconds", lambda _: 0.01)
        _at(monkeypatch, {"new": server.port})
        prober.keep(KEY, probe(), {"new": ["new"]})
        await until(lambda: scored(prober, "new") >= 1)
    assert "the probe of chat failed and begins anew" in caplog.text
