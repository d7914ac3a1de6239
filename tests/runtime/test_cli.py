"""How a flow's end becomes an exit code and a termination message."""

import errno
import json
import random
import sys
import types

import pytest

from martlet_api.conditions import Reason
from martlet_api.contract import EvaluateResult, Termination
from martlet_api.evalrun import Score
from martlet_api.termination import decode
from martlet_runtime import cli
from martlet_runtime.errors import RetryableError, UserError
from martlet_runtime.paths import Paths

ENDS = [
    (UserError(Reason.DATASET_EMPTY, "Empty."), 65, "DatasetEmpty"),
    (RetryableError(Reason.SOURCE_UNAVAILABLE, "Down."), 75, "SourceUnavailable"),
    (OSError(errno.ENOSPC, "full", "/out"), 65, "DiskFull"),
    (OSError(errno.EDQUOT, "full", "/out"), 65, "DiskFull"),
    (OSError(errno.EACCES, "no", "/out"), 65, "OutputNotWritable"),
    (OSError(errno.EROFS, "no", "/out"), 65, "OutputNotWritable"),
    (MemoryError(), 65, "OutOfMemory"),
    (KeyError("odd"), 1, "InternalError"),
]


def run(tmp_path, monkeypatch, flow):
    """The exit code and the termination message of a flow."""
    monkeypatch.setitem(sys.modules, "some_flow", types.SimpleNamespace(run=flow))
    monkeypatch.setitem(cli.FLOWS, "preflight", "some_flow")
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    plan = tmp_path / "plan.json"
    plan.write_text('{"kind": "FineTuneJob", "namespace": "a", "name": "b", "run": "1"}')
    paths = Paths(termination=tmp_path / "end")
    return cli.run("preflight", plan, paths), paths.termination.read_text()


@pytest.mark.parametrize(("error", "code", "reason"), ENDS)
def test_each_end_has_its_code_and_reason(tmp_path, monkeypatch, error, code, reason):
    def fail(*_args):
        raise error

    found, text = run(tmp_path, monkeypatch, fail)
    assert found == code
    ended = json.loads(text)
    assert (ended["succeeded"], ended["reason"]) == (False, reason)


def scored(count, digits):
    rng = random.Random(count)
    scores = [
        Score(suite="s", metric=f"m{n}", value=round(rng.random(), digits), samples=9)
        for n in range(count)
    ]
    return Termination(
        flow="preflight",
        succeeded=True,
        reason=Reason.SUCCEEDED,
        message="Done.",
        evaluate=EvaluateResult(scores=scores),
    )


def test_a_long_result_is_made_short_and_stands_in_the_log(tmp_path, monkeypatch, capsys):
    ended = scored(100, 4)
    code, text = run(tmp_path, monkeypatch, lambda *_: ended)
    assert (code, decode(text)) == (0, ended)
    assert not text.startswith("{")
    last = capsys.readouterr().out.splitlines()[-1]
    assert Termination.model_validate_json(last) == ended


def test_a_result_that_cannot_be_told_fails_and_says_so(tmp_path, monkeypatch):
    code, text = run(tmp_path, monkeypatch, lambda *_: scored(1000, 16))
    ended = decode(text)
    assert (code, ended.succeeded, ended.reason) == (65, False, Reason.RESULT_TOO_LONG)
    assert "and the kubelet keeps 4096 of it. Ask for fewer metrics" in ended.message
