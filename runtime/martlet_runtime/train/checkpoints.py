"""Checkpoints: folders that appear whole or not at all, and the newest of them that is whole.

The trainer writes into ``.partial``; once every process has written its part, the folder gets its
manifest and its name. What the pod died over is swept away by the next attempt.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import TrainerCallback

from martlet_api.conditions import Reason
from martlet_api.contract import CheckpointSettings, checkpoints_uri
from martlet_api.finetunejob import Checkpoint
from martlet_runtime.artifacts import manifest, seal
from martlet_runtime.errors import UserError
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.train import world

_PARTIAL = ".partial"
_PREFIX = "checkpoint-"
_LEAST_FREE = 1 << 20
"""Bytes under which a write that failed is taken to have failed for want of space."""


class Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Where a run's checkpoints lie; the callback that finishes each."""

    def __init__(
        self, paths: Paths, output_uri: str, settings: CheckpointSettings, report: Report
    ) -> None:
        self.uri = checkpoints_uri(output_uri)
        self.root = paths.of_claim(self.uri)
        self.settings, self._report = settings, report
        self.newest: Checkpoint | None = None

    @property
    def partial(self) -> Path:
        """The folder that the trainer writes into."""
        return self.root / _PARTIAL

    def resume_from(self) -> Path | None:
        """The newest whole checkpoint. One that was damaged is passed over for the one before it;
        CheckpointInvalid where none is whole, since to begin anew would lose the work unasked."""
        found = sorted(self.root.glob(f"{_PREFIX}*"), key=_step, reverse=True)
        if not found:
            return None
        broken = []
        for path in found:
            if difference := _damage(path):
                broken.append(difference)
                print(f"Passing over a checkpoint: {difference}.", flush=True)
                continue
            self._tell(path)
            print(f"Goes on from step {_step(path)}.", flush=True)
            return path
        raise UserError(
            Reason.CHECKPOINT_INVALID,
            f"No checkpoint in {self.uri} is as it was written: {'; '.join(broken)}. Restore one, "
            "or delete the folder to begin anew, then set a new spec.retry.",
        )

    def prepare(self) -> None:
        """Sweeps away what an earlier attempt left half written."""
        if world.rank() == 0:
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir(parents=True)
        world.barrier()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Once all processes have written their parts."""
        world.barrier()
        if world.rank() == 0:
            self._finish(self.partial / f"{_PREFIX}{state.global_step}")
        world.barrier()

    def remove(self) -> None:
        """The artifact is there: nobody goes on from a checkpoint any more."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _finish(self, written: Path) -> None:
        final = self.root / written.name
        if final.exists():
            shutil.rmtree(written)
            return
        seal(written)
        written.rename(final)
        self._tell(final)
        for old in sorted(self.root.glob(f"{_PREFIX}*"), key=_step)[: -self.settings.keep]:
            shutil.rmtree(old)

    def _tell(self, path: Path) -> None:
        self.newest = Checkpoint(step=_step(path), uri=f"{self.uri}/{path.name}")
        self._report.checkpoint(_step(path))

    @contextmanager
    def full_disk_told(self) -> Iterator[None]:
        """torch and safetensors word a full disk in errors of their own."""
        try:
            yield
        except (RuntimeError, SafetensorError) as error:
            if not self.root.exists() or shutil.disk_usage(self.root).free > _LEAST_FREE:
                raise
            raise UserError(
                Reason.DISK_FULL,
                f"No space is left for a checkpoint in {self.uri}; the ones before it are kept. "
                "Free or enlarge the volume, or lower spec.checkpoint.keep, then set a new "
                "spec.retry.",
            ) from error
        else:
            # Another process may still look into it at its training's end.
            world.barrier()
        finally:
            if world.rank() == 0:
                shutil.rmtree(self.partial, ignore_errors=True)


def _step(path: Path) -> int:
    return int(path.name.removeprefix(_PREFIX))


def _damage(path: Path) -> str | None:
    """What of a checkpoint is not as it was written; None where all is."""
    known = manifest.read_manifest(path)
    if known is None:
        return f"{path.name} has no manifest"
    found = manifest.list_files(path)
    if found.digest == known.digest:
        return None
    return f"{path.name}: {' '.join(manifest.first_difference(known, found))}"
