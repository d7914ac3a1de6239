"""Keeps asking both revisions of each rollout that has a probe.

In tasks of their own: an engine may take a minute to answer, and no pass waits for that. Prompts
are drawn for each revision by itself and at random, so that right and wrong are independent draws
at the rate of the whole set, which the guards' test asks for, though the same prompts come again.
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from martlet_api.contract import ENGINE_PORT
from martlet_api.durations import seconds
from martlet_api.probe import ChatMessage, Probe, ProbePrompt
from martlet_operator.probe.asking import TIMEOUT, UnreachableError, ask
from martlet_operator.probe.scoring import is_right, question_for_judge, verdict_of
from martlet_operator.reconcile.queue import Key

log = logging.getLogger(__name__)

_AT_A_TIME = 64
"""Prompts on their way, of all rollouts."""
_VERDICT_TOKENS = 8

Addresses = Mapping[str, list[str]]
"""By revision, where its ready pods are."""


@dataclass
class Tally:
    """Answers that were scored, and how many of them were wrong."""

    scored: int = 0
    wrong: int = 0


@dataclass
class _Rollout:
    key: Key
    probe: Probe
    addresses: Addresses
    tallies: dict[str, Tally] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """By revision, why its last answer could not be scored."""
    task: asyncio.Task[None] | None = None


class Prober:
    """What is counted is remembered here alone: a new operator begins to count anew."""

    def __init__(self) -> None:
        self._rollouts: dict[Key, _Rollout] = {}
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._draw = random.SystemRandom()

    def keep(self, key: Key, probe: Probe, addresses: Addresses) -> None:
        """Goes on asking, or begins to; with another probe the tallies begin anew."""
        known = self._rollouts.get(key)
        if known is None or known.probe != probe or known.addresses.keys() != addresses.keys():
            self.forget(key)
            known = self._rollouts[key] = _Rollout(key, probe, addresses)
            known.tallies = {revision: Tally() for revision in addresses}
        known.addresses = addresses
        if known.task is None or known.task.done():
            _tell_of_end(known)
            known.task = asyncio.create_task(self._run(known), name=f"probe of {key.name}")

    def forget(self, key: Key) -> None:
        known = self._rollouts.pop(key, None)
        if known and known.task:
            known.task.cancel()

    def tallies(self, key: Key) -> dict[str, Tally]:
        """By revision; empty where nobody is asked."""
        known = self._rollouts.get(key)
        return known.tallies if known else {}

    def problem(self, key: Key) -> str | None:
        """Why the last answer of one of the revisions could not be scored, if it could not."""
        known = self._rollouts.get(key)
        return next(iter(known.problems.values()), None) if known else None

    async def _run(self, rollout: _Rollout) -> None:
        async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
            while True:
                await asyncio.sleep(seconds(rollout.probe.every))
                revisions = list(rollout.addresses)
                await asyncio.gather(*(self._once(session, rollout, name) for name in revisions))

    async def _once(self, session: aiohttp.ClientSession, rollout: _Rollout, revision: str) -> None:
        """One prompt to one revision. What cannot be scored is not counted."""
        pods = rollout.addresses[revision]
        if not pods:
            return
        prompt = self._draw.choice(rollout.probe.prompts)
        try:
            async with self._slots:
                right = await _answered_right(session, rollout, prompt, self._draw.choice(pods))
        except UnreachableError as error:
            rollout.problems[revision] = str(error)
            return
        if right is None:
            rollout.problems[revision] = "the judge said neither yes nor no"
            return
        rollout.problems.pop(revision, None)
        tally = rollout.tallies[revision]
        tally.scored += 1
        tally.wrong += not right


async def _answered_right(
    session: aiohttp.ClientSession, rollout: _Rollout, prompt: ProbePrompt, pod: str
) -> bool | None:
    """An engine that answers with an error, or not in time, answers wrong."""
    host = f"[{pod}]" if ":" in pod else pod
    address, model = f"http://{host}:{ENGINE_PORT}", rollout.key.name
    answer = await ask(session, address, model, prompt.messages, rollout.probe.max_tokens)
    if answer is None:
        return False
    if prompt.expect.judge is None:
        return is_right(prompt.expect, answer)
    return await _judged(session, rollout, prompt, answer)


async def _judged(
    session: aiohttp.ClientSession, rollout: _Rollout, prompt: ProbePrompt, answer: str
) -> bool | None:
    assert rollout.probe.judge is not None
    assert prompt.expect.judge is not None
    judge = rollout.probe.judge.service
    address = judge_address(judge, rollout.key.namespace)
    asked = "\n".join(message.content for message in prompt.messages)
    text = question_for_judge(prompt.expect.judge, asked, answer)
    message = ChatMessage(role="user", content=text[:8192])
    said = await ask(session, address, judge, [message], _VERDICT_TOKENS)
    return None if said is None else verdict_of(said)


def judge_address(service: str, namespace: str) -> str:
    """An InferenceService's own within the cluster."""
    return f"http://{service}.{namespace}.svc:{ENGINE_PORT}"


def _tell_of_end(rollout: _Rollout) -> None:
    task = rollout.task
    if task and not task.cancelled() and (error := task.exception()):
        log.error("the probe of %s failed and begins anew", rollout.key.name, exc_info=error)
