"""What an answer is worth: checks of ours, and an endpoint of the user's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from test_rendering import words

from martlet_api.conditions import Reason
from martlet_api.training import Reward
from martlet_runtime.errors import FlowError, RetryableError, UserError
from martlet_runtime.train import rewards
from martlet_runtime.train.rewards import http

pytestmark = pytest.mark.torch


def score(reward: Reward, text: str, **row: Any) -> float:
    """Of one answer, as TRL's trainers ask for it."""
    (function,) = rewards.functions([reward], words())
    turns = [{"role": "assistant", "content": text}]
    (number,) = function([[{"role": "user", "content": "q"}]], [turns], row=[json.dumps(row)])
    return float(number)


EXACT, NUMBER = Reward(type="ExactMatch"), Reward(type="NumberMatch", column="n")
FORMAT = Reward(type="Format", pattern=r"<a>.*</a>")
LENGTH = Reward(type="Length", target_length=4)


@pytest.mark.parametrize(
    ("reward", "text", "row", "worth"),
    [
        (EXACT, " oven\n", {"solution": "oven"}, 1),
        (EXACT, "oven.", {"solution": "oven"}, 0),
        (EXACT, "3", {"solution": 3}, 1),
        (NUMBER, "so it is 1,024.", {"n": "#### 1024"}, 1),
        (NUMBER, "first 7, then -3.5", {"n": -3.5}, 1),
        (NUMBER, "7 or 8", {"n": 7}, 0),
        (NUMBER, "none", {"n": "none"}, 0),
        (FORMAT, "<a>x\ny</a>", {}, 1),
        (FORMAT, "well <a>x</a>", {}, 0),
        (LENGTH, "the sky is up", {}, 1),
        (LENGTH, "the sky", {}, 0.5),
        (LENGTH, "", {}, 0),
        (LENGTH, "up " * 9, {}, 0),
    ],
)
def test_checks(reward: Reward, text: str, row: dict[str, Any], worth: float) -> None:
    assert score(reward, text, **row) == pytest.approx(worth)


Reply = Callable[[dict[str, Any]], tuple[int, Any]]


@pytest.fixture
def endpoint() -> Iterator[Callable[[Reply], Reward]]:
    """``endpoint(reply)`` serves a reward on loopback."""
    servers = []

    def serve(reply: Reply) -> Reward:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code, told = reply(asked)
                body = json.dumps(told).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Reward(type="HTTP", url=f"http://127.0.0.1:{server.server_port}/score")

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_endpoint_sees_the_question_the_answer_and_the_row(
    endpoint: Callable[[Reply], Reward],
) -> None:
    seen: list[dict[str, Any]] = []

    def reply(asked: dict[str, Any]) -> tuple[int, Any]:
        seen.append(asked)
        return 200, {"rewards": [0.25]}

    assert score(endpoint(reply), "the sky", solution=4) == 0.25
    assert seen == [
        {
            "prompts": [[{"role": "user", "content": "q"}]],
            "completions": ["the sky"],
            "rows": [{"solution": 4}],
        }
    ]


def test_an_endpoint_that_is_busy_is_asked_again(
    endpoint: Callable[[Reply], Reward], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_RETRY", http._RETRY.new(backoff_factor=0))
    codes = iter([503, 429, 200])
    reward = endpoint(lambda _: (next(codes), {"rewards": [1]}))
    assert score(reward, "x") == 1


@pytest.mark.parametrize(
    "told", [{"rewards": []}, {"rewards": [1, 2]}, {"rewards": ["x"]}, {}, [], {"rewards": [None]}]
)
def test_an_endpoint_that_answers_nonsense(endpoint: Callable[[Reply], Reward], told: Any) -> None:
    with pytest.raises(UserError) as caught:
        score(endpoint(lambda _: (200, told)), "x")
    assert caught.value.reason == Reason.REWARD_INVALID
    assert "was asked for 1 numbers and answered 200" in caught.value.message


def test_an_endpoint_that_refuses(endpoint: Callable[[Reply], Reward]) -> None:
    with pytest.raises(UserError, match="answered 404"):
        score(endpoint(lambda _: (404, {"rewards": [1]})), "x")


def test_an_endpoint_that_is_gone_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_RETRY", http._RETRY.new(total=1, backoff_factor=0))
    with pytest.raises(RetryableError) as caught:
        score(Reward(type="HTTP", url="http://127.0.0.1:1/score"), "x")
    assert isinstance(caught.value, FlowError)
    assert caught.value.reason == Reason.SOURCE_UNAVAILABLE


def test_weights_are_handed_on() -> None:
    assert rewards.weights([EXACT, Reward(type="ExactMatch", weight=-2)]) == [1, -2]
