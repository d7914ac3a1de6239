"""Preflight: resolves every name to a commit and a digest, and checks what it finds."""

import tempfile
from pathlib import Path

from martlet_api.conditions import Reason
from martlet_api.contract import Input, Plan, Termination
from martlet_api.runs import ResolvedInput
from martlet_runtime import models
from martlet_runtime.artifacts import Listing
from martlet_runtime.data.checking import count_rows
from martlet_runtime.paths import Paths
from martlet_runtime.report import Report
from martlet_runtime.sources import Source, source_of


def run(plan: Plan, paths: Paths, report: Report) -> Termination:
    """Locks the plan's inputs, all of them or none."""
    resolved = [lock(wanted, paths) for wanted in plan.inputs]
    names = ", ".join(item.name for item in resolved)
    return Termination(
        flow="preflight",
        succeeded=True,
        reason=Reason.REVISIONS_LOCKED,
        message=f"Locked {names}.",
        resolved=resolved,
    )


def lock(wanted: Input, paths: Paths) -> ResolvedInput:
    """One input, resolved, hashed and checked."""
    source = source_of(wanted)
    commit = source.resolve(wanted, paths)
    locked = wanted.model_copy(update={"commit": commit})
    rows = None
    with tempfile.TemporaryDirectory(dir=paths.work) as scratch:
        listing = source.listing(locked, paths, Path(scratch))
        if wanted.kind == "Model":
            models.check([file.path for file in listing.files], wanted.uri)
        else:
            rows = _rows(source, locked, paths, Path(scratch))
    return _resolved(wanted, commit, listing, rows)


def _rows(source: Source, locked: Input, paths: Paths, scratch: Path) -> int | None:
    target = scratch / "dataset"
    source.bring(locked, paths, target)
    return count_rows(target, locked)


def _resolved(
    wanted: Input, commit: str | None, listing: Listing, rows: int | None
) -> ResolvedInput:
    return ResolvedInput(
        name=wanted.name,
        uri=wanted.uri,
        revision=wanted.revision,
        commit=commit,
        digest=listing.digest,
        files=len(listing.files),
        bytes=listing.bytes,
        rows=rows,
    )
