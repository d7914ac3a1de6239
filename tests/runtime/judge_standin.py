"""A judge that answers as it is told, over the same part of OpenAI's API as the engine."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from engine_standin import Engine, value_for


class Judge(Engine):
    """A judge: ``verdicts`` by what it is asked to judge contains, else ``otherwise``."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: dict[str, str] = {}
        self.otherwise = '{"verdict": "A"}'
        self.key: str | None = None
        """Other keys get status 401, and are sent back."""
        self.statuses: dict[str, list[int]] = {}
        """By what it is asked: with what it refuses first, one after the other."""
        self.always: int | None = None
        """With what it refuses everything."""
        self.slow: dict[str, float] = {}
        """Seconds, by what it is asked."""
        self.broken: tuple[str, ...] = ()
        """Where all of these are asked about, it says no verdict."""
        self._request = threading.local()

    def seen(self, authorization: str | None) -> None:
        super().seen(authorization)
        self._request.sent = authorization

    def judge(self, **fields: Any) -> dict[str, Any]:
        """``spec.judge``."""
        return {"endpoint": self.endpoint, "model": "wise", **fields}

    def _chat(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        asked = json.dumps(body["messages"])
        sent = self._request.sent
        if self.key and sent != f"Bearer {self.key}":
            return 401, {"error": {"message": f"Incorrect API key provided: {sent}"}}
        time.sleep(value_for(self.slow, asked, 0))
        if status := self.always or _next(value_for(self.statuses, asked, [])):
            self.refusals += 1
            return status, {"error": {"message": f"not now, {sent}"}}
        return super()._chat(body)

    def text_for(self, question: str) -> str:
        if self.broken and all(text in question for text in self.broken):
            return "no verdict at all"
        return str(value_for(self.verdicts, question, self.otherwise))


def _next(statuses: list[int]) -> int | None:
    return statuses.pop(0) if statuses else None
