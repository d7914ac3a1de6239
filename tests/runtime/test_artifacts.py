"""Digests follow from contents alone, and artifacts appear whole or not at all."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from martlet_api.contract import OutputPlan
from martlet_runtime.artifacts import list_files, verify, write
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths

OUTPUT = OutputPlan(uri="pvc://claim/models/x", record={"name": "x"})
FILES = st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), st.binary(), min_size=1)


def lay_out(files, mtime):
    root = Path(tempfile.mkdtemp())
    for name, data in files:
        (root / name).write_bytes(data)
        os.utime(root / name, (mtime, mtime))
    return root


@settings(max_examples=40, deadline=None)
@given(FILES, st.integers(0, 10**9))
def test_order_and_time_do_not_matter(files, mtime):
    one, other = lay_out(files.items(), 5), lay_out(reversed(files.items()), mtime)
    assert list_files(one).digest == list_files(other).digest


@settings(max_examples=40, deadline=None)
@given(FILES, st.data())
def test_any_byte_matters(files, data):
    root = lay_out(files.items(), 5)
    before = list_files(root).digest
    path = root / data.draw(st.sampled_from(sorted(files)))
    path.write_bytes(path.read_bytes() + b"x")
    assert list_files(root).digest != before


def build(folder):
    (folder / "config.json").write_text("{}")


STEPS = ["_record", "list_files", "_make_readable", "_sync"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_leaves_no_final_folder(tmp_path, monkeypatch, step):
    paths = Paths(volumes=tmp_path)

    def killed(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"martlet_runtime.artifacts.writing.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            write(paths, OUTPUT, "Model", None, build)
    assert not paths.of_claim(OUTPUT.uri).exists()
    artifact = write(paths, OUTPUT, "Model", None, build)
    assert verify(paths.of_claim(OUTPUT.uri), artifact.digest)


def test_a_second_attempt_takes_what_is_there(tmp_path):
    paths = Paths(volumes=tmp_path)
    first = write(paths, OUTPUT, "Model", None, build)
    assert write(paths, OUTPUT, "Model", None, lambda _: pytest.fail("built again")) == first


def test_a_changed_file_is_named(tmp_path):
    paths = Paths(volumes=tmp_path)
    artifact = write(paths, OUTPUT, "Model", None, build)
    (paths.of_claim(OUTPUT.uri) / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"config\.json in x was changed"):
        verify(paths.of_claim(OUTPUT.uri), artifact.digest)
