"""Metrics pages of pods."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from martlet_operator.cluster.pages import parse_gauges, read_gauges

PAGE = """# TYPE martlet_train_step gauge
martlet_train_step 3.0
# TYPE martlet_train_loss gauge
martlet_train_loss NaN
# TYPE other gauge
other{label="x"} 1.0
"""


@contextmanager
def serving(status: int, page: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Not into the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_samples_without_labels_that_are_numbers() -> None:
    assert parse_gauges(PAGE) == {"martlet_train_step": 3.0}


@pytest.mark.parametrize(
    ("status", "page", "expected"),
    [(200, PAGE, {"martlet_train_step": 3.0}), (500, PAGE, None), (200, "<html>{", None)],
)
def test_a_page_or_nothing(status: int, page: str, expected: dict[str, float] | None) -> None:
    with serving(status, page) as port:
        assert asyncio.run(read_gauges("127.0.0.1", port)) == expected


def test_a_pod_that_does_not_listen() -> None:
    with serving(200, PAGE) as port:
        pass
    assert asyncio.run(read_gauges("127.0.0.1", port)) is None
