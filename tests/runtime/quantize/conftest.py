"""The pod that climbs a ladder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from quantize_builders import Ladder, Pod


@pytest.fixture
def ladder(village: Path, pod: Pod, monkeypatch: pytest.MonkeyPatch) -> Ladder:
    from quantize_builders import Ladder

    return Ladder(village, pod, monkeypatch)
