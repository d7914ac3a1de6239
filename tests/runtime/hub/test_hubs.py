"""The Hugging Face Hub and ModelScope, by their own clients, against the stand-in."""

import pytest

from martlet_api.contract import Input
from martlet_runtime import preflight, stage
from martlet_runtime.errors import RetryableError, UserError

BROUGHT = ["config.json", "merges.txt", "model.safetensors"]


def model(hub, **more):
    fields = {"name": "model", "kind": "Model", "uri": f"{hub.scheme}://acme/tiny", **more}
    return Input(**fields)


def data(hub, path="data/train.jsonl"):
    uri = f"{hub.scheme}://datasets/acme/tiny/{path}"
    return Input(name="dataset-0", kind="Dataset", uri=uri, rows="Conversation")


def locked(wanted, paths):
    found = preflight.lock(wanted, paths)
    return wanted.model_copy(update={"commit": found.commit, "digest": found.digest})


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("revision", [None, "default", "v1", "commit"])
def test_a_revision_becomes_its_commit(hub, paths, revision):
    commit = hub.branches[hub.main]
    name = {"default": hub.main, "commit": commit}.get(revision, revision)
    assert preflight.lock(model(hub, revision=name), paths).commit == commit


def test_what_is_staged_is_what_preflight_locked(hub, paths):
    stage.bring(locked(model(hub), paths), paths)
    assert names(paths.inputs / "model") == BROUGHT
    assert names(paths.inputs) == [f"model/{name}" for name in BROUGHT]


def test_preflight_downloads_no_weights(hub, paths):
    preflight.lock(model(hub), paths)
    assert not [line for line in hub.requests if "GET" in line and ".safetensors" in line]


def test_neither_pickle_nor_code_is_asked_for(hub, paths):
    stage.bring(locked(model(hub), paths), paths)
    assert not [line for line in hub.requests if ".bin" in line or ".py" in line]


def test_a_data_file(hub, paths):
    wanted = locked(data(hub), paths)
    stage.bring(wanted, paths)
    assert (paths.inputs / "dataset-0").read_bytes().count(b"\n") == 20
    assert preflight.lock(data(hub), paths).rows == 20


def test_a_folder_of_data(hub, paths):
    """Data alone, and nothing that could be run or unpickled."""
    uri = f"{hub.scheme}://datasets/acme/tiny"
    wanted = locked(Input(name="suite-s", kind="Folder", uri=uri), paths)
    stage.bring(wanted, paths)
    brought = names(paths.inputs / "suite-s")
    assert "data/train.jsonl" in brought
    assert not [name for name in brought if name.endswith((".py", ".bin", ".safetensors"))]


def test_a_moved_branch_changes_nothing(hub, paths):
    wanted = locked(model(hub), paths)
    old = hub.commits[wanted.commit]
    hub.commit({**old, "config.json": b"{}", "model.safetensors": b"other"}, hub.main)
    stage.bring(wanted, paths)
    assert (paths.inputs / "model/model.safetensors").read_bytes() == old["model.safetensors"]
    assert preflight.lock(model(hub), paths).commit == hub.branches[hub.main] != wanted.commit


WRONG = [
    ({"uri": "{}://acme/none"}, "ModelNotFound", "acme/none does not exist"),
    ({"revision": "v9"}, "RevisionNotFound", "has no revision v9. It has ma.*, v1"),
    ({"revision": "0" * 40}, "RevisionNotFound", "has no revision 000.* It has ma.*, v1"),
]


@pytest.mark.parametrize(("change", "reason", "text"), WRONG)
def test_what_is_not_there(hub, paths, change, reason, text):
    change = {key: value.format(hub.scheme) for key, value in change.items()}
    with pytest.raises(UserError, match=text) as caught:
        preflight.lock(model(hub, **change), paths)
    assert caught.value.reason == reason


def test_a_missing_file_names_those_that_there_are(hub, paths):
    with pytest.raises(UserError, match=r"holds .*data/train\.jsonl") as caught:
        preflight.lock(data(hub, "data/tarin.jsonl"), paths)
    assert caught.value.reason == "DatasetNotFound"


def test_a_file_whose_digest_is_wrong(hub, paths):
    wanted = locked(model(hub), paths)
    hub.wrong.add("model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors of") as caught:
        stage.bring(wanted, paths)
    assert caught.value.reason == "DigestMismatch"


def test_a_hub_that_is_down(hub, paths):
    hub.down = True
    with pytest.raises(RetryableError) as caught:
        preflight.lock(model(hub), paths)
    assert caught.value.reason == "SourceUnavailable"


@pytest.mark.parametrize("how", ["down", "cut"])
def test_a_hub_that_fails_half_way(hub, paths, how):
    wanted = locked(model(hub), paths)
    setattr(hub, how, True)
    with pytest.raises(RetryableError) as caught:
        stage.bring(wanted, paths)
    assert caught.value.reason == "SourceUnavailable"
    setattr(hub, how, False)
    stage.bring(wanted, paths)
    assert names(paths.inputs) == [f"model/{name}" for name in BROUGHT]


def test_a_token_is_required(hub, paths, monkeypatch):
    hub.token = "ms-secret-token"
    with pytest.raises(UserError, match="secretRef") as caught:
        preflight.lock(model(hub), paths)
    assert caught.value.reason == "AccessDenied"
    monkeypatch.setenv("HF_TOKEN", hub.token)
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", hub.token)
    monkeypatch.setattr("modelscope_hub.config._default_config", None)
    assert preflight.lock(model(hub), paths).commit


def test_too_little_room(hub, paths, monkeypatch):
    wanted = locked(model(hub), paths)
    nearly_full = type("Usage", (), {"free": 100})
    monkeypatch.setattr("martlet_runtime.sources.hub.shutil.disk_usage", lambda _: nearly_full)
    with pytest.raises(UserError, match=r"needs .* are free") as caught:
        stage.bring(wanted, paths)
    assert caught.value.reason == "DiskFull"
