"""Both revisions' pages, read side by side."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY

from martlet_api.probe import Probe
from martlet_operator.canary.windows import Arm, Window
from martlet_operator.cluster.prometheus import Answer
from martlet_operator.probe.prober import Tally
from martlet_operator.reconcile import watching
from martlet_operator.reconcile.queue import Key
from martlet_operator.reconcile.watching import Watch

Object = dict[str, Any]
KEY = Key("InferenceService", "team", "chat")
PAGE = """# TYPE http_requests_total counter
http_requests_total{{handler="/v1/chat/completions",method="POST",status="2xx"}} {done}.0
http_requests_total{{handler="/v1/chat/completions",method="POST",status="5xx"}} {failed}.0
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{{model_name="chat"}} {tokens}.0
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{model_name="chat"}} 2.0
"""


def service(**canary: Any) -> Object:
    status = {"canary": {"revision": "chat-new"}, "stable": {"revision": "chat-old"}}
    return {"spec": {"canary": {"steps": [{"weight": 5}], **canary}}, "status": status}


def pod(name: str, revision: str, *, ready: bool = True, engine: str = "vLLM") -> Object:
    marks = {"martlet.dev/revision": revision, "martlet.dev/engine": engine}
    status = {"name": "engine", "ready": ready}
    return {
        "metadata": {"uid": f"uid-{name}", "labels": marks},
        "status": {"podIP": name, "containerStatuses": [status]},
    }


PODS = [pod("a", "chat-new"), pod("b", "chat-old"), pod("c", "chat-old")]


class Pages:
    """Pages by pod, and the time that is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pages: dict[str, str | None] = {}
        monkeypatch.setattr(watching, "read_page", self.read)
        monkeypatch.setattr(watching.time, "time", lambda: self.now)

    async def read(self, address: str, port: int) -> str | None:
        assert port == 8080
        return self.pages[address]

    def count(self, done: int, failed: int = 0, tokens: int = 0) -> None:
        self.now += 10
        for name in "abc":
            self.pages[name] = PAGE.format(done=done, failed=failed, tokens=tokens)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    return Pages(monkeypatch)


async def test_a_window_is_what_was_counted_between_two_looks(pages: Pages) -> None:
    watch = Watch()
    pages.count(100)
    assert (await watch.look(KEY, service(), PODS)).window is None
    pages.count(130, failed=5, tokens=400)
    found = (await watch.look(KEY, service(), PODS)).window
    assert found is not None
    assert (found.start, found.end) == (1010.0, 1020.0)
    assert found.canary.counts == {"requests": 35.0, "errors": 5.0, "tokens": 400.0}
    assert found.stable.counts == {"requests": 70.0, "errors": 10.0, "tokens": 800.0}
    assert found.canary.values == {"Throughput": 20.0}, "400 tokens, 10 s, 2 requests"
    assert found.stable.values == {"Throughput": 20.0}


async def test_a_look_that_follows_at_once_reads_nothing(pages: Pages) -> None:
    """Each window changes the status, which is looked at at once."""
    watch = Watch()
    pages.count(100)
    await watch.look(KEY, service(), PODS)
    pages.count(130)
    assert (await watch.look(KEY, service(), PODS)).window is not None
    pages.count(140)
    pages.now -= 8
    assert (await watch.look(KEY, service(), PODS)).window is None
    pages.now += 8
    found = (await watch.look(KEY, service(), PODS)).window
    assert found is not None
    assert found.canary.counts["requests"] == 10.0, "nothing is lost by it"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pages: pages.pages.update(b=None),
        lambda pages: pages.pages.update(b="<html>"),
        lambda pages: pages.pages.update(b="# TYPE sglang:x gauge\nsglang:x 1.0\n"),
    ],
)
async def test_a_page_that_cannot_be_read_keeps_the_window_open(
    pages: Pages, spoil: Callable[[Pages], None]
) -> None:
    watch = Watch()
    pages.count(100)
    await watch.look(KEY, service(), PODS)
    pages.count(130)
    spoil(pages)
    assert (await watch.look(KEY, service(), PODS)).window is None
    pages.count(160)
    found = (await watch.look(KEY, service(), PODS)).window
    assert found is not None
    assert (found.seconds, found.canary.counts["requests"]) == (20.0, 60.0)


@pytest.mark.parametrize(
    ("page", "result"), [(PAGE.format(done=1, failed=0, tokens=0), "read"), (None, "silent"),
                         ("<html>", "foreign"), ("", "foreign")],
)  # fmt: skip
async def test_each_page_is_counted_by_what_it_was(
    pages: Pages, page: str | None, result: str
) -> None:
    pages.pages = dict.fromkeys("abc", page)
    before = {each: counted("pages_total", result=each) for each in ("read", "silent", "foreign")}
    times = counted("page_duration_seconds_count")
    await Watch().look(KEY, service(), PODS)
    more = {each: counted("pages_total", result=each) - was for each, was in before.items()}
    assert more == {**dict.fromkeys(before, 0), result: 3}
    assert counted("page_duration_seconds_count") - times == 3


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"martlet_watch_{name}", labels) or 0


async def test_pods_that_are_not_ready_are_not_asked(pages: Pages) -> None:
    watch = Watch()
    pages.count(100)
    pods = [pod("z", "chat-new", ready=False), *PODS[1:]]
    await watch.look(KEY, service(), pods)
    pages.count(130)
    found = (await watch.look(KEY, service(), pods)).window
    assert found is not None
    assert found.canary.counts == {}


async def test_another_canary_begins_anew(pages: Pages) -> None:
    watch = Watch()
    pages.count(100)
    await watch.look(KEY, service(), PODS)
    pages.count(130)
    newer = service()
    newer["status"]["canary"]["revision"] = "chat-newer"
    assert (await watch.look(KEY, newer, PODS)).window is None


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {}},
        {"status": {}},
        {"status": {"stable": {"revision": "chat-old"}}},
    ],
)
async def test_without_a_canary_nobody_is_asked(pages: Pages, change: Object) -> None:
    assert (await Watch().look(KEY, {**service(), **change}, PODS)).window is None


QUERY = {"metric": "PromQL", "name": "csat", "query": 'x{r="{{revision}}",n="{{namespace}}"}'}


async def asked(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer], url: str = "http://p"
) -> watching.Watched:
    async def answer(address: str, query: str) -> Answer:
        assert address == url
        return answers[query]

    monkeypatch.setattr(watching, "ask", answer)
    watch = Watch(url)
    pages.count(100)
    await watch.look(KEY, service(guards=[QUERY]), PODS)
    pages.count(130)
    return await watch.look(KEY, service(guards=[QUERY]), PODS)


NEW, OLD = 'x{r="chat-new",n="team"}', 'x{r="chat-old",n="team"}'


async def test_queries_are_asked_for_both(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await asked(pages, monkeypatch, {NEW: Answer(4.0), OLD: Answer(5.0)})
    assert found.window is not None
    assert found.window.canary.values["csat"] == 4.0
    assert found.window.stable.values["csat"] == 5.0
    assert found.problems == {}


async def test_no_data_is_no_problem_and_no_value(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await asked(pages, monkeypatch, {NEW: Answer(wrong="NoData"), OLD: Answer(5.0)})
    assert found.window is not None
    assert "csat" not in found.window.canary.values
    assert found.problems == {}


async def test_a_query_at_fault(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Answer(wrong="ProviderError", message="the query gives 2 series")
    before = [counted("queries_total", result=r) for r in ("Value", "NoData", "ProviderError")]
    found = await asked(pages, monkeypatch, {NEW: wrong, OLD: Answer(5.0)})
    after = [counted("queries_total", result=r) for r in ("Value", "NoData", "ProviderError")]
    assert [now - was for now, was in zip(after, before, strict=True)] == [1, 0, 1]
    assert found.problems == {"csat": "the query gives 2 series"}


async def test_no_prometheus(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await asked(pages, monkeypatch, {}, url="")
    assert "prometheus.url of the chart" in found.problems["csat"]


PROBE = {"prompts": [{"messages": [{"role": "user", "content": "?"}], "expect": {"exact": "!"}}]}


class Tallied:
    """In the prober's place."""

    def __init__(self) -> None:
        self.kept: Object = {}
        self.problem_told: str | None = None
        self.found: dict[str, Tally] = {}

    def keep(self, key: Key, probe: Probe, addresses: Object) -> None:
        self.kept = addresses

    def forget(self, key: Key) -> None:
        self.kept = {}

    def tallies(self, key: Key) -> dict[str, Tally]:
        return self.found

    def problem(self, key: Key) -> str | None:
        return self.problem_told


def probed(monkeypatch: pytest.MonkeyPatch, weight: int = 5) -> tuple[Watch, Tallied, Object]:
    tallied = Tallied()
    monkeypatch.setattr(watching, "Prober", lambda: tallied)
    asking = service(probe=PROBE, guards=[{"metric": "Quality"}])
    asking["status"]["canary"]["weight"] = weight
    return Watch(), tallied, asking


async def test_what_the_probe_counted_is_part_of_the_window(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, tallied, asking = probed(monkeypatch)
    tallied.found = {"chat-new": Tally(3, 1), "chat-old": Tally(3, 0)}
    pages.count(100)
    await watch.look(KEY, asking, PODS)
    assert tallied.kept == {"chat-new": ["a"], "chat-old": ["b", "c"]}
    tallied.found = {"chat-new": Tally(5, 3), "chat-old": Tally(4, 0)}
    pages.count(130)
    found = (await watch.look(KEY, asking, PODS)).window
    assert found is not None
    counts = [(arm.counts["probes"], arm.counts["wrong answers"]) for arm in _arms(found)]
    assert counts == [(2.0, 2.0), (1.0, 0.0)]


def _arms(window: Window) -> tuple[Arm, Arm]:
    return window.canary, window.stable


async def test_before_it_has_requests_a_canary_is_not_probed(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, tallied, asking = probed(monkeypatch, weight=0)
    pages.count(100)
    await watch.look(KEY, asking, PODS)
    assert tallied.kept == {}


async def test_what_cannot_be_scored_is_a_problem_of_its_guard(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, tallied, asking = probed(monkeypatch)
    tallied.problem_told = "the judge said neither yes nor no"
    pages.count(100)
    problems = (await watch.look(KEY, asking, PODS)).problems
    assert problems["Quality"] == "the judge said neither yes nor no"
    tallied.problem_told = None
    assert (await watch.look(KEY, asking, PODS)).problems == {}
