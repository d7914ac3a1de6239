"""What continuous integration starts can be started."""

import os
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / ".ci/run"


def test_the_script_is_executable() -> None:
    assert os.access(SCRIPT, os.X_OK)
    assert SCRIPT.read_text().startswith("#!")
