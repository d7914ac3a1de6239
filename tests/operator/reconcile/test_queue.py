"""The queue: each key once, in one place at a time, none lost, and never later than asked."""

import asyncio
import contextlib
import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from martlet_operator.errors import Conflict
from martlet_operator.reconcile.loop import Workers
from martlet_operator.reconcile.queue import Key, WorkQueue

KEYS = [Key("FineTuneJob", "ns", name) for name in "abc"]


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time goes on when nothing else does."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.now = max(self.now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def run(work: Any) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from(KEYS)), max_size=60
)


@given(OPERATIONS)
def test_as_a_set_of_keys(operations: list[tuple[str, Key]]) -> None:
    async def go() -> None:
        queue, waiting, working = WorkQueue(), set(), set()
        for name, key in operations:
            if name == "add":
                queue.add(key)
                waiting.add(key)
            elif name == "done" and key in working:
                queue.done(key)
                working.remove(key)
            elif name == "get" and waiting - working:
                taken = await asyncio.wait_for(queue.get(), 1)
                assert taken in waiting - working, "never in two places at a time"
                waiting.remove(taken)
                working.add(taken)
            elif name == "get":
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(queue.get(), 1)
        for key in working:
            queue.done(key)
        rest = [await asyncio.wait_for(queue.get(), 1) for _ in waiting]
        assert Counter(rest) == Counter(waiting), "each once, none lost"

    run(go())


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.floats(0, 100)), min_size=1, max_size=12))
def test_the_earliest_of_the_times_asked_for_counts(asked: list[tuple[Key, float]]) -> None:
    async def go() -> None:
        queue, due = WorkQueue(), {}
        for key, seconds in asked:
            queue.add_after(key, seconds)
            due[key] = min(seconds, due.get(key, seconds))
        loop = asyncio.get_running_loop()
        for _ in due:
            key = await queue.get()
            assert loop.time() == pytest.approx(due[key], abs=1e-6)  # the clock's resolution
            queue.done(key)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1000)

    run(go())


def test_how_long_the_oldest_waits() -> None:
    async def go() -> None:
        queue = WorkQueue()
        assert queue.oldest_seconds() == 0
        queue.add(KEYS[0])
        assert queue.oldest_seconds() >= 0
        await queue.get()
        assert queue.oldest_seconds() == 0

    run(go())


def test_workers_try_again_later_each_time_and_forget_after_success() -> None:
    calls: list[float] = []

    async def go() -> None:
        queue = WorkQueue()
        loop = asyncio.get_running_loop()

        async def reconcile(key: Key) -> float | None:
            calls.append(loop.time())
            if len(calls) in (1, 2, 5):
                raise Conflict(409, "not now")
            if len(calls) == 3:
                raise ValueError("a bug")
            return 7.0 if len(calls) == 4 else None

        queue.add(KEYS[0])
        work = asyncio.ensure_future(Workers(queue, reconcile, 2).run())
        await asyncio.sleep(500)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    run(go())
    waits = [b - a for a, b in itertools.pairwise(calls)]
    assert waits == pytest.approx([0.5, 1, 2, 7, 0.5])


def test_the_longest_wait_is_a_minute_for_ever() -> None:
    calls: list[float] = []

    async def go() -> None:
        queue = WorkQueue()

        async def reconcile(key: Key) -> float | None:
            calls.append(asyncio.get_running_loop().time())
            raise Conflict(409, "never")

        queue.add(KEYS[0])
        work = asyncio.ensure_future(Workers(queue, reconcile, 1).run())
        await asyncio.sleep(60 * 1100)
        assert not work.done()
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    run(go())
    assert len(calls) > 1090
    assert calls[-1] - calls[-2] == pytest.approx(60)
