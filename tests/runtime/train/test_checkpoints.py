"""Nothing is lost: a run that is broken off goes on as if it had not been."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_builders import lay_out, train_plan

from martlet_api import contract
from martlet_api.conditions import Reason
from martlet_api.contract import Plan
from martlet_api.finetunejob import CheckpointSettings
from martlet_api.training import Tuner
from martlet_runtime.artifacts import manifest
from martlet_runtime.errors import RetryableError, UserError, from_os_error
from martlet_runtime.report import Report
from martlet_runtime.train import checkpoints, flow, stop

pytestmark = pytest.mark.torch

STEPS, EVERY = 14, 4
DROPOUT = Tuner(type="LoRA", rank=8, alpha=16, dropout=0.1)


def plan(name: str, **more: Any) -> Plan:
    """With dropout: what is drawn at random must go on where it was, too."""
    more.setdefault("checkpoint", CheckpointSettings(every_steps=EVERY, keep=2))
    return train_plan(name, hyperparameters={"max_steps": STEPS}, tuner=DROPOUT, **more)


class Losses:
    """The loss of every forward pass, by step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by_step: dict[int, list[float]] = {}
        watch = flow.finite.watch

        def listen(trainer: Any) -> None:
            watch(trainer)
            step = trainer.training_step

            def kept(*args: Any, **kwargs: Any) -> torch.Tensor:
                loss: torch.Tensor = step(*args, **kwargs)
                self.by_step.setdefault(trainer.state.global_step, []).append(loss.item())
                return loss

            trainer.training_step = kept

        monkeypatch.setattr(flow.finite, "watch", listen)


class Killed(BaseException):
    """As sudden as SIGKILL, for all that the flow can do about it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Before the end of that step."""

    def on_step_end(self: stop.Stop, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            raise Killed

    monkeypatch.setattr(stop.Stop, "on_step_end", on_step_end)


def tell_to_stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    on_step_end = stop.Stop.on_step_end

    def told(self: stop.Stop, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == step:
            self._tell(15, None)
        on_step_end(self, args, state, control, **more)

    monkeypatch.setattr(stop.Stop, "on_step_end", told)


@pytest.fixture
def whole(village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, list[float]]:
    """The losses of a run that nothing broke off."""
    with monkeypatch.context() as patch:
        losses = Losses(patch)
        flow.run(plan("whole"), lay_out(tmp_path / "whole", village), Report())
    return losses.by_step


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@pytest.mark.parametrize(("kill", "resumed"), [(6, 4), (11, 8)])
def test_a_killed_run_goes_on_from_its_last_checkpoint_with_the_same_losses(
    whole: dict[int, list[float]],
    village: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kill: int,
    resumed: int,
) -> None:
    paths = lay_out(tmp_path / "killed", village)
    with monkeypatch.context() as patch:
        kill_at(patch, kill)
        with pytest.raises(Killed):
            flow.run(plan("killed"), paths, Report())
    losses = Losses(monkeypatch)
    ended = flow.run(plan("killed"), paths, Report())
    assert ended.train is not None
    assert ended.train.steps == STEPS
    assert min(losses.by_step) == resumed
    for step, found in losses.by_step.items():
        assert found == pytest.approx(whole[step], abs=1e-3)
    assert names(paths.volumes / "models/killed") == ["r1"]


def test_a_stop_saves_at_the_step_boundary_and_the_next_pod_goes_on_there(
    whole: dict[int, list[float]], village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, report = lay_out(tmp_path / "stopped", village), Report()
    with monkeypatch.context() as patch:
        tell_to_stop_at(patch, 6)
        with pytest.raises(RetryableError) as caught:
            flow.run(plan("stopped"), paths, report)
    assert "step 6" in caught.value.message
    page = {s.name: s.value for family in report.registry.collect() for s in family.samples}
    assert page[contract.METRIC_CHECKPOINT_STEP] == 6
    losses = Losses(monkeypatch)
    flow.run(plan("stopped"), paths, Report())
    assert min(losses.by_step) == 6
    for step, found in losses.by_step.items():
        assert found == pytest.approx(whole[step], abs=1e-3)


def broken_off(village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """A pod whose run was killed at step 10, after the checkpoints 4 and 8."""
    paths = lay_out(tmp_path / name, village)
    with monkeypatch.context() as patch:
        kill_at(patch, 10)
        with pytest.raises(Killed):
            flow.run(plan(name), paths, Report())
    return paths


def test_only_so_many_checkpoints_are_kept_and_each_is_whole(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = lay_out(tmp_path, village)
    with monkeypatch.context() as patch:
        kill_at(patch, 13)
        with pytest.raises(Killed):
            flow.run(plan("kept"), paths, Report())
    root = paths.volumes / "models/kept/r1-checkpoints"
    assert names(root) == ["checkpoint-12", "checkpoint-8"]
    for path in root.iterdir():
        known = manifest.read_manifest(path)
        assert known is not None
        assert known == manifest.list_files(path)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = broken_off(village, tmp_path, monkeypatch, "damaged")
    newest = paths.volumes / "models/damaged/r1-checkpoints/checkpoint-8"
    (newest / "adapter_model.safetensors").write_bytes(b"other")
    losses = Losses(monkeypatch)
    flow.run(plan("damaged"), paths, Report())
    assert min(losses.by_step) == 4


def test_without_a_whole_checkpoint_nothing_is_begun_anew_unasked(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = broken_off(village, tmp_path, monkeypatch, "lost")
    for path in (paths.volumes / "models/lost/r1-checkpoints").iterdir():
        state = path / "trainer_state.json"
        if state.exists():
            state.write_text(json.dumps({}))
    with pytest.raises(UserError) as caught:
        flow.run(plan("lost"), paths, Report())
    assert caught.value.reason == Reason.CHECKPOINT_INVALID
    assert "checkpoint-8: trainer_state.json was changed" in caught.value.message
    assert "delete the folder" in caught.value.message


def test_a_disk_that_fills_in_the_middle_of_a_save_keeps_what_was_saved(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = lay_out(tmp_path, village)
    seal = checkpoints.seal

    def full(folder: Path) -> Any:
        if folder.name == "checkpoint-8":
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        return seal(folder)

    monkeypatch.setattr(checkpoints, "seal", full)
    with pytest.raises(OSError, match="No space left") as caught:
        flow.run(plan("full"), paths, Report())
    told = from_os_error(caught.value)
    assert told is not None
    assert told.reason == Reason.DISK_FULL
    assert names(paths.volumes / "models/full/r1-checkpoints") == ["checkpoint-4"]


def test_a_writer_that_fails_on_a_full_disk_without_saying_so_is_understood(
    village: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = lay_out(tmp_path, village)

    def full(*_: Any) -> Any:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr(checkpoints, "seal", full)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError) as caught:
        flow.run(plan("full"), paths, Report())
    assert caught.value.reason == Reason.DISK_FULL
    assert "ones before it are kept" in caught.value.message


def test_a_finished_run_is_told_again_without_training(village: Path, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, village)
    first = flow.run(plan("twice"), paths, Report())
    (paths.inputs / "model").unlink()
    assert flow.run(plan("twice"), paths, Report()) == first
