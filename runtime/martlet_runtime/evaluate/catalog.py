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
_JUDGE = {"judge_only": "only", "judge_default": "default"}
"""EvalScope's scoring policies that ask a judge where nothing else is said."""


def table() -> dict[str, dict[str, str]]:
    """By name, as ``martlet_api.benchmarks.Benchmark`` says."""
    import evalscope.benchmarks  # noqa: F401 - fills the registry
    from evalscope.api.registry import BENCHMARK_REGISTRY

    names = sorted(name for name in BENCHMARK_REGISTRY if name not in OWN_ROWS)
    return {name: _entry(BENCHMARK_REGISTRY[name]) for name in names}


def _entry(meta: Any) -> dict[str, str]:
    found = {
        "hf": meta.hf_dataset_id,
        "ms": _repository(meta.dataset_id),
        "needs": _needs(meta),
        "judge": _JUDGE.get(meta.data_adapter.scoring_policy.value),
        "judge_prompt": _judge_prompt(meta.data_adapter),
    }
    return {key: value for key, value in found.items() if value}


def _needs(meta: Any) -> str | None:
    """Where only a judge scores code, nothing is run."""
    judged = meta.data_adapter.scoring_policy.value == "judge_only"
    tags = [tag for tag in meta.tags if not (judged and tag == "Coding")]
    needs = next((_NEEDS[tag] for tag in tags if tag in _NEEDS), None)
    if needs is None and meta.sandbox_config:
        return _NEEDS["Coding"]
    return needs


def _judge_prompt(adapter: Any) -> str | None:
    """Whether the adapter asks the judge otherwise than all do."""
    from evalscope.api.mixin import LLMJudgeMixin

    general = adapter.judge_definition is LLMJudgeMixin.judge_definition
    return None if general else "own"


def _repository(name: str | None) -> str | None:
    """``ORG/NAME``; some benchmarks name an address or a file instead."""
    return name if name and name.count("/") == 1 and "://" not in name else None


def text() -> str:
    return json.dumps(table(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
