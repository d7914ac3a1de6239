import importlib.util
import sys
import time
from pathlib import Path

import pytest

from martlet_runtime.paths import Paths

_SPEC = importlib.util.spec_from_file_location("standin", Path(__file__).with_name("standin.py"))
standin = importlib.util.module_from_spec(_SPEC)
sys.modules["standin"] = standin
_SPEC.loader.exec_module(standin)

MODEL = {
    "config.json": b'{"model_type": "qwen2"}',
    "model.safetensors": bytes(range(256)) * 64,
    "pytorch_model.bin": b"a pickle" * 10,
    "modeling.py": b"print('code')",
    "merges.txt": b"a b\n",
    "data/train.jsonl": b'{"query": "q", "response": "a"}\n' * 20,
}


@pytest.fixture
def paths(tmp_path):
    made = Paths(*(tmp_path / name for name in ("inputs", "work", "volumes", "termination")))
    for folder in (made.inputs, made.work, made.volumes):
        folder.mkdir()
    return made


@pytest.fixture(params=["hf", "ms"])
def hub(request, monkeypatch, tmp_path):
    """Both hubs in turn; ``hub.scheme`` says which."""
    with standin.serving(standin.Hub()) as hub:
        hub.scheme = request.param
        hub.main = "main" if request.param == "hf" else "master"
        first = hub.commit(MODEL, hub.main)
        hub.tags["v1"] = first
        _point_clients(hub.url, monkeypatch, tmp_path)
        yield hub


def _point_clients(url, monkeypatch, tmp_path):
    """The clients read their environment when they are imported."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", url)
    monkeypatch.setattr("modelscope_hub.config._default_config", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_MAX_DELAY_SECONDS", 0)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    assert _http.time.sleep is time.sleep
