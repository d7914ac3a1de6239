"""The start-up probe, run as the kubelet runs it."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from martlet_operator.engines.container import probe_program


def probe(port: int) -> tuple[int, str]:
    command = [sys.executable, "-IS", "-c", probe_program(), str(port), "chat"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"choices": [{"text": "!"}]}, 0),
        (200, {"choices": []}, 1),
        (500, {"error": "engine is dead"}, 1),
        (404, {"error": "no model chat"}, 1),
    ],
)
def test_what_an_engine_answers(status: int, body: dict[str, object], code: int) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, json.loads(text)["model"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Not into the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    found, said = probe(server.server_port)
    server.shutdown()
    server.server_close()
    assert found == code
    assert asked == [("/v1/completions", "chat")]
    assert bool(said) == bool(code), "a failure is explained"
    with_nobody = probe(server.server_port)
    assert with_nobody[0] == 1
    assert "no answer yet" in with_nobody[1]
