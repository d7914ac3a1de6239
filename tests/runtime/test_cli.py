"""How a flow's end becomes an exit code and a termination message."""

import errno
import json
import sys
import types

import pytest

from martlet_api.conditions import Reason
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


@pytest.mark.parametrize(("error", "code", "reason"), ENDS)
def test_each_end_has_its_code_and_reason(tmp_path, monkeypatch, error, code, reason):
    def fail(*_args):
        raise error

    monkeypatch.setitem(sys.modules, "failing_flow", types.SimpleNamespace(run=fail))
    monkeypatch.setitem(cli.FLOWS, "preflight", "failing_flow")
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    plan = tmp_path / "plan.json"
    plan.write_text('{"kind": "FineTuneJob", "namespace": "a", "name": "b", "run": "1"}')
    paths = Paths(termination=tmp_path / "end")
    assert cli.run("preflight", plan, paths) == code
    ended = json.loads(paths.termination.read_text())
    assert (ended["succeeded"], ended["reason"]) == (False, reason)
