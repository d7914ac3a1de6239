"""The table of EvalScope's benchmarks: ``python -m martlet_runtime.evaluate.catalog FILE``."""

import json
import sys
from pathlib import Path
from typing import Any

from martlet_api.evalrun import OWN_ROWS

_NEEDS = {
    "MultiModal": "pictures, sound or video",
    "Audio": "sound",
    "Video": "video",
    "SpeechRecognition": "sound",
    "TextToImage": "a model that draws",
    "ImageEditing": "a model that draws",
    "ImageCaptioning": "pictures",
    "Grounding": "pictures",
    "TextToSpeech": "a model that speaks",
    "Agent": "an environment for agents",
    "Coding": "a sandbox for the code that it runs",
    "Arena": "other models' answers",
    "Custom": "a form of its own that is not taken here",
}
"""What benchmarks with these tags of EvalScope's ask for."""


def table() -> dict[str, dict[str, str]]:
    """By name: ``hf`` and ``ms``, the repositories of its data, and ``needs``."""
    import evalscope.benchmarks  # noqa: F401 - fills the registry
    from evalscope.api.registry import BENCHMARK_REGISTRY

    names = sorted(name for name in BENCHMARK_REGISTRY if name not in OWN_ROWS)
    return {name: _entry(BENCHMARK_REGISTRY[name]) for name in names}


def _entry(meta: Any) -> dict[str, str]:
    needs = next((_NEEDS[tag] for tag in meta.tags if tag in _NEEDS), None)
    if needs is None and meta.sandbox_config:
        needs = _NEEDS["Coding"]
    found = {"hf": meta.hf_dataset_id, "ms": _repository(meta.dataset_id), "needs": needs}
    return {key: value for key, value in found.items() if value}


def _repository(name: str | None) -> str | None:
    """``ORG/NAME``; some benchmarks name an address or a file instead."""
    return name if name and name.count("/") == 1 and "://" not in name else None


def text() -> str:
    return json.dumps(table(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
