"""An engine that answers from a table, over the part of OpenAI's API that is asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from martlet_api.contract import EvaluatePlan
from martlet_api.evalrun import Generation, Suite


class Engine:
    """``answers``: by what a question contains. ``down``: it refuses everything."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.down = False
        self.refused: str | None = None
        """Questions with this text get status 400."""
        self.dies_after: int | None = None
        """Chats after which it is down."""
        self.asked: list[dict[str, Any]] = []
        self.authorizations: set[str | None] = set()
        self.refusals = 0
        self.surprise: Any = None
        """From tokens to the log-probability of each but the first."""
        self.max_model_len: int | None = None
        self.version: str | None = "0.32.0"
        self.logprobs: list[Any] = [-0.7, -0.01]
        """Of the tokens of an answer, where they are asked for."""
        self.completions: list[dict[str, Any]] = []
        self.drops = 0
        """Chats over which it breaks the connection off, as one that ends does."""
        self.tokens: Any = None
        """From a text to its tokens, as /tokenize tells them; None where it is not there."""
        self.texts: list[str] = []
        """What /tokenize was asked."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def plan(self, *suites: Suite, **fields: Any) -> EvaluatePlan:
        """What a scorer is told that asks this engine."""
        own = {"served_name": "m", "generation": Generation(), **fields}
        return EvaluatePlan(endpoint=self.endpoint, suites=list(suites), **own)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.down:
            self.refusals += 1
            return 503, {"error": {"message": "the engine is loading"}}
        if path.endswith("/chat/completions"):
            return self._chat(body)
        if path == "/tokenize":
            return self._tokenize(body)
        self.completions.append(body)
        choice = {"index": 0, "text": "x", "finish_reason": "length"}
        if "logprobs" in body:
            choice["logprobs"] = {"token_logprobs": self.logprobs}
        if "prompt_logprobs" in body and self.surprise:
            choice["prompt_logprobs"] = self._probabilities(body["prompt"])
        return 200, {"id": "1", "object": "text_completion", "created": 1, "model": "m",
                     "choices": [choice]}  # fmt: skip

    def _probabilities(self, tokens: list[int]) -> list[Any]:
        """As vLLM tells them: by token, the first one's is not there."""
        told = zip(tokens[1:], self.surprise(tokens), strict=True)
        return [None, *({str(token): {"logprob": value, "rank": 1}} for token, value in told)]

    def _tokenize(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.texts.append(body["prompt"])
        if self.tokens is None or body["model"] != "m":
            return 404, {"error": {"message": "Not Found"}}
        assert body["add_special_tokens"] is False
        tokens = self.tokens(body["prompt"])
        return 200, {"count": len(tokens), "max_model_len": 64, "tokens": tokens}

    def models(self) -> dict[str, Any]:
        card = {"id": "m", "object": "model", "created": 1, "owned_by": "us"}
        return {"object": "list", "data": [{**card, "max_model_len": self.max_model_len}]}

    def text_for(self, question: str) -> str:
        return str(value_for(self.answers, question, "none"))

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(body)
        self.down = self.dies_after is not None and len(self.asked) >= self.dies_after
        question = json.dumps(body["messages"])
        if self.refused and self.refused in question:
            return 400, {"error": {"message": "this is refused", "type": "BadRequestError"}}
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.text_for(question)},
        }
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [{"logprob": value} for value in self.logprobs]}
        return 200, {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{**choice, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    def seen(self, authorization: str | None) -> None:
        """What came as the Authorization of a request."""
        self.authorizations.add(authorization)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/version":
                    told = {"version": engine.version}
                    self._answer(200 if engine.version else 404, told)
                    return
                self._answer(200, engine.models())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                engine.seen(self.headers["Authorization"])
                if engine.drops and self.path.endswith("/chat/completions"):
                    engine.drops -= 1
                    self.close_connection = True
                    return
                self._answer(*engine.reply(self.path, body))

            def _answer(self, status: int, answer: dict[str, Any]) -> None:
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """The test's output is not for requests."""

        return Handler


def value_for(known: dict[str, Any], asked: str, otherwise: Any) -> Any:
    """The first whose key is in what was asked."""
    return next((value for text, value in known.items() if text in asked), otherwise)
