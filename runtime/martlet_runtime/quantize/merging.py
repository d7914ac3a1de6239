"""The full model of a run: the one that was brought, or an adapter merged into it, once."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from martlet_api.conditions import Reason
from martlet_api.contract import OutputPlan, Plan, merged_uri
from martlet_api.runs import Artifact, MadeFrom
from martlet_runtime import artifacts, models
from martlet_runtime.artifacts import manifest
from martlet_runtime.errors import UserError
from martlet_runtime.loading import load_model, load_tokenizer
from martlet_runtime.paths import Paths

FORMAT = "safetensors"
_KEY_DIGITS = 12
_PARTS = ("model", "adapter")


def full_model(plan: Plan, paths: Paths) -> tuple[Paths, Artifact | None]:
    """Paths under which ``model`` is whole, and the merged artifact if there was an adapter.

    An adapter is merged in the base's own dtype, and what comes of it is kept beside the run:
    whoever has the same two digests finds it.
    """
    if not (paths.inputs / "adapter").exists():
        return paths, None
    output = output_of(plan)
    merged = artifacts.find(paths, output, FORMAT, None)
    if merged:
        _check(paths.of_claim(merged.uri), merged)
        print(f"The adapter was merged before: {merged.uri}.", flush=True)
    else:
        merged = artifacts.write(paths, output, FORMAT, None, lambda folder: _merge(paths, folder))
    return _laid_out(paths, paths.of_claim(merged.uri)), merged


def output_of(plan: Plan) -> OutputPlan:
    """Where the merged model goes, named by the digests of its two parts."""
    assert plan.quantize is not None
    digests = {item.name: item.digest for item in plan.inputs if item.name in _PARTS}
    joined = " ".join(str(digests.get(name)) for name in _PARTS)
    key = hashlib.sha256(joined.encode()).hexdigest()[:_KEY_DIGITS]
    return OutputPlan(
        uri=merged_uri(plan.quantize.output.uri, key),
        record=plan.quantize.output.record,
        made_from=[MadeFrom(name=name, digest=value) for name, value in digests.items() if value],
    )


def bytes_to_write(plan: Plan, paths: Paths) -> int:
    """What a merge will write on the output's volume: nothing without an adapter, or if it is
    there."""
    merged = artifacts.find(paths, output_of(plan), FORMAT, None)
    if merged or not (paths.inputs / "adapter").exists():
        return 0
    return weight_bytes(paths.inputs / "model")


def weight_bytes(folder: Path) -> int:
    """The weights as they lie there, whatever they are computed in."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _merge(paths: Paths, folder: Path) -> None:
    load_model(paths, stored_dtype(paths.inputs / "model")).save_pretrained(folder)
    load_tokenizer(paths).save_pretrained(folder)


def stored_dtype(folder: Path) -> torch.dtype:
    """What a model's configuration says its weights are in; float32 where it does not say."""
    config = models.config_of(folder)
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    return getattr(torch, name) if isinstance(name, str) else torch.float32


def _check(folder: Path, merged: Artifact) -> None:
    """DigestMismatch if the kept model is not as it was merged."""
    known, found = manifest.read_manifest(folder), manifest.list_files(folder)
    if known and found.digest != merged.digest:
        path, how = manifest.first_difference(known, found)
        raise UserError(
            Reason.DIGEST_MISMATCH,
            f"{path} in {merged.uri} {how} since the adapter was merged. Delete that folder, so "
            "that it is merged anew, then set a new spec.retry.",
        )


def _laid_out(paths: Paths, folder: Path) -> Paths:
    """The merged model in the place of the one that was brought."""
    inputs = paths.work / "merged"
    inputs.mkdir(exist_ok=True)
    link = inputs / "model"
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    return replace(paths, inputs=inputs)
